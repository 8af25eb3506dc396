//! The program: `offsite`.

fn main() -> std::process::ExitCode {
    offsite::cli::run()
}
