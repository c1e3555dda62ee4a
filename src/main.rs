//! The command line, nothing else.

fn main() -> std::process::ExitCode {
    beatlytica::cli::main()
}
