//! What became of every case on every server: a table, when the last one has ended.

use crate::ground::Server;
use crate::support::tools;
use std::collections::BTreeMap;
use std::sync::Mutex;

static ENDED: Mutex<BTreeMap<(Server, &str), &str>> = Mutex::new(BTreeMap::new());

/// A case under way; how it ends is noted when this is dropped.
pub struct Running {
    pub server: Server,
    pub case: &'static str,
}

impl Drop for Running {
    fn drop(&mut self) {
        let word = match std::thread::panicking() {
            true => "**failed**",
            false => "passed",
        };
        let mut ended = ENDED.lock().unwrap();
        ended.insert((self.server, self.case), word);
        // A run of some tests alone has no table to show.
        let all = Server::ALL.into_iter().filter(|s| !s.left_out());
        if ended.len() == all.map(|server| server.cases().count()).sum::<usize>() {
            let table = table(|server, case| match server.left_out() {
                true => "ignored",
                false => ended[&(server, case)],
            });
            tools::say(&format!("\nThe contract, server by server:\n\n{table}"));
        }
    }
}

/// Cases down, servers across.
pub fn table(word: impl Fn(Server, &'static str) -> &'static str) -> String {
    let row = |first: &str, cells: Vec<&str>| format!("| {first} | {} |\n", cells.join(" | "));
    let mut table = row("case", Server::ALL.map(Server::name).into());
    table += &row("---", vec!["---"; Server::ALL.len()]);
    for case in crate::EVERYWHERE.iter().chain(crate::WITH_VERSIONS) {
        let cell = |server: Server| match server.cases().any(|of| of == *case) {
            true => word(server, case),
            false => "no versions",
        };
        table += &row(&case.replace('_', " "), Server::ALL.map(cell).into());
    }
    table
}
