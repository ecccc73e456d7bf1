//! The victim database and its client: a line with a query, an answer of rows.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::ExitCode;
use std::time::Duration;

use crate::{fail, hosts};

/// Where the real one listens too.
const SOCKET: &str = "/var/run/postgresql/.s.PGSQL.5432";
const PORT: u16 = 5432;
/// Most bytes of a query.
const MAX_QUERY: u64 = 64 << 10;

/// Invented customers; every name and address is made up.
const CUSTOMERS: &[(&str, &str, &str)] = &[
    ("MARY", "SMITHE", "1913 Hanoi Way"),
    ("PATRICIA", "JOHNSTONE", "1121 Loja Avenue"),
    ("LINDA", "WILLIAMSEN", "692 Joliet Street"),
];

/// Which way to the database.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// The socket in the database's own container.
    Socket,
    /// The service name on the network.
    Network,
}

/// The server.
pub(crate) fn postgres(_: &[String]) -> ExitCode {
    let _ = fs::create_dir_all("/var/run/postgresql");
    let _ = fs::remove_file(SOCKET);
    let listener = match UnixListener::bind(SOCKET) {
        Ok(listener) => listener,
        Err(error) => return fail("postgres", 1, format!("{SOCKET}: {error}")),
    };
    let _ = fs::set_permissions(SOCKET, fs::Permissions::from_mode(0o777));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                stream.try_clone().and_then(|reader| answer(reader, stream))
            });
        }
    });
    let listener = match TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], PORT))) {
        Ok(listener) => listener,
        Err(error) => return fail("postgres", 1, error),
    };
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || stream.try_clone().and_then(|reader| answer(reader, stream)));
    }
    ExitCode::SUCCESS
}

fn answer(reader: impl Read, mut writer: impl Write) -> io::Result<()> {
    let mut query = String::new();
    BufReader::new(reader.take(MAX_QUERY)).read_line(&mut query)?;
    let query = query.to_ascii_lowercase();
    if query.contains("count(*)") {
        return writeln!(writer, " count\n-------\n {:5}\n(1 row)", CUSTOMERS.len());
    }
    if !query.contains("customer") {
        return writeln!(writer, "ERROR:  relation does not exist");
    }
    writeln!(
        writer,
        " first_name | last_name | address\n------------+-----------+---------"
    )?;
    for (first, last, address) in CUSTOMERS {
        writeln!(writer, " {first} | {last} | {address}")?;
    }
    writeln!(writer, "({} rows)", CUSTOMERS.len())
}

/// Sends a query and gives the answer.
pub(crate) fn query(place: Place, query: &str) -> io::Result<String> {
    let mut text = String::new();
    match place {
        Place::Socket => {
            let mut stream = UnixStream::connect(SOCKET)?;
            writeln!(stream, "{query}")?;
            stream.read_to_string(&mut text)?;
        }
        Place::Network => {
            let address = hosts::socket("postgres-sakila", PORT)
                .ok_or_else(|| io::Error::other("no such host: postgres-sakila"))?;
            let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
            writeln!(stream, "{query}")?;
            stream.read_to_string(&mut text)?;
        }
    }
    Ok(text)
}

/// The client: `psql [-h HOST] -U USER -c QUERY`.
pub(crate) fn psql(arguments: &[String]) -> ExitCode {
    let after = |flag: &str| {
        arguments
            .iter()
            .position(|argument| argument == flag)
            .and_then(|at| arguments.get(at + 1))
    };
    let Some(text) = after("-c") else {
        return fail("psql", 2, "say what to ask with -c");
    };
    let place = if after("-h").is_some() {
        Place::Network
    } else {
        Place::Socket
    };
    match query(place, text) {
        Ok(rows) => {
            print!("{rows}");
            ExitCode::SUCCESS
        }
        Err(error) => fail("psql", 2, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_answered() {
        let ask = |query: &str| {
            let mut out = Vec::new();
            answer(query.as_bytes(), &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert!(ask("SELECT first_name FROM customer c\n").contains("(3 rows)"));
        assert!(ask("select count(*) from customer\n").contains("    3"));
        assert!(ask("select 1\n").starts_with("ERROR"));
    }
}
