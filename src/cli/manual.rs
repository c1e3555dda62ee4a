//! Shell completions and the manual page, made from the arguments' definition.

use std::io::{self, Write as _};

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::args::Cli;

pub(super) fn completions(shell: Shell) -> io::Result<()> {
    // Written to memory first: the generator panics where it cannot write, as to a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "beatlytica", &mut script);
    io::stdout().write_all(&script)
}

pub(super) fn page() -> io::Result<()> {
    let mut page = Vec::new();
    let mut command = Cli::command();
    // Their options are nowhere else: there is one page for all.
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for part in command.get_subcommands().filter(|part| part.get_name() != "help") {
        let part = clap_mangen::Man::new(part.clone());
        part.render_synopsis_section(&mut page)?;
        part.render_description_section(&mut page)?;
        part.render_options_section(&mut page)?;
    }
    io::stdout().write_all(&page)
}
