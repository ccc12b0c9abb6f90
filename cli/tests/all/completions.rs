//! `completions`.

use crate::run::Place;

#[test]
fn every_shell_gets_a_script_that_knows_the_commands() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = Place::new().run(["completions", shell]).exits(0).stdout;
        for option in ["partition-by", "keep-staged", "rewrite-missing", "abort"] {
            assert!(script.contains(option), "{shell}: no {option}");
        }
    }
}
