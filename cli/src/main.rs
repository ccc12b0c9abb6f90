//! The program `atomic-arrow`, which calls the command's library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(atomic_arrow_cli::run(std::env::args_os()))
}
