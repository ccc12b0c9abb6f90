//! The command `atomic-arrow`, as a program; what it does is the library's.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(atomic_arrow_cli::run(std::env::args_os()))
}
