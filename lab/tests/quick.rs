//! The laboratory's quick tier: some points of every section.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "../../tests/support/mod.rs"]
mod support;

use std::process::Command;

/// What the laboratory ends with if something could not run.
const SKIPPED: i32 = 3;

fn section(name: &str) {
    let mut laboratory = Command::new(env!("CARGO_BIN_EXE_atomic-arrow-lab"));
    let output = laboratory.args(["--quick", "--section", name]).output();
    let output = output.expect("the laboratory starts");
    let said = String::from_utf8_lossy(&output.stderr);
    println!("{said}");
    match output.status.code() {
        Some(0) => {}
        Some(SKIPPED) => support::skip(said.trim()),
        _ => panic!("{said}"),
    }
}

#[test]
fn power_cuts_on_the_simulated_disk_break_no_promise() {
    section("sim");
}

#[test]
fn without_any_sync_check_or_lock_some_scenario_fails() {
    section("gate");
}

#[test]
fn whatever_another_does_before_whichever_call_nothing_is_lost_or_mixed() {
    section("races");
}

#[test]
fn whatever_a_hostile_neighbour_does_nothing_of_others_is_touched_and_what_is_told_is_true() {
    section("neighbours");
}

#[test]
fn whichever_call_fails_the_error_says_what_is_on_disk_and_nothing_leaks() {
    section("faults");
}

#[test]
fn power_cuts_on_real_file_systems_break_no_promise() {
    section("cuts");
}

#[test]
fn power_cuts_on_real_file_systems_find_what_unsynced_files_lose() {
    section("lies");
}

#[test]
fn whichever_system_call_fails_the_error_says_what_is_on_disk_and_nothing_leaks() {
    section("strace");
}

#[test]
fn whichever_system_call_of_the_command_fails_its_exit_code_says_what_is_on_disk() {
    section("command");
}

#[test]
fn users_who_share_a_data_set_and_are_killed_at_random_lose_nothing_acknowledged() {
    section("soak");
}
