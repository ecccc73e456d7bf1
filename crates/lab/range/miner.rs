//! The miner's look-alike: says hello to the lab's pool as Stratum miners do, and computes for some seconds.

use std::hint::black_box;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::{fail, hosts};

/// How long it computes unless `RANGE_MINER_SECONDS` says otherwise.
const SECONDS: u64 = 3;
/// It never computes longer than this, whatever it is told.
const MOST_SECONDS: u64 = 20;
/// Computing and resting take turns of this length, so half a core is the most it takes.
const TURN: Duration = Duration::from_millis(20);

/// `xmrig -o stratum+tcp://HOST:PORT -u WALLET …`.
pub(crate) fn xmrig(arguments: &[String]) -> ExitCode {
    let pool = arguments
        .iter()
        .position(|argument| argument == "-o")
        .and_then(|at| arguments.get(at + 1))
        .map(|url| url.trim_start_matches("stratum+tcp://"));
    let Some(pool) = pool else {
        return fail("xmrig", 2, "no pool was given");
    };
    let seconds = std::env::var("RANGE_MINER_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(SECONDS)
        .min(MOST_SECONDS);
    match mine(pool, Duration::from_secs(seconds)) {
        Ok(shares) => {
            println!("accepted ({shares}/0)");
            ExitCode::SUCCESS
        }
        Err(error) => fail("xmrig", 1, format!("{pool}: {error}")),
    }
}

fn mine(pool: &str, time: Duration) -> io::Result<u32> {
    let address = hosts::socket(pool, 3333).ok_or_else(|| io::Error::other("DNS error"))?;
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    writeln!(
        stream,
        r#"{{"id":1,"jsonrpc":"2.0","method":"login","params":{{"login":"range","pass":"x","agent":"range/1.0"}}}}"#
    )?;
    answers.read_line(&mut line)?;
    let end = Instant::now() + time;
    let mut shares = 0;
    let mut value = 0x9e37_79b9_7f4a_7c15u64;
    while Instant::now() < end {
        let turn = Instant::now();
        while turn.elapsed() < TURN {
            for _ in 0..10_000 {
                value = (value ^ (value >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            }
        }
        std::thread::sleep(TURN);
    }
    // so that the computation is not thought away
    if black_box(value) != 0 {
        writeln!(
            stream,
            r#"{{"id":2,"jsonrpc":"2.0","method":"submit","params":{{"id":"range","nonce":"00000000"}}}}"#
        )?;
        line.clear();
        shares += u32::from(answers.read_line(&mut line)? > 0);
    }
    Ok(shares)
}
