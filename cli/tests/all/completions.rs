//! `completions`.

use crate::run::Place;

#[test]
fn every_shell_gets_a_script_that_knows_the_commands() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = Place::new().run(["completions", shell]).exits(0).stdout;
        assert!(
            script.contains("--partition-by") || script.contains("partition-by"),
            "{shell}"
        );
    }
}
