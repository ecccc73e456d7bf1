//! The agent's ear for its server: it waits there for orders of people and for changed rules and policies, so that nothing
//! needs to reach the agent from outside.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use vedette_event::Outcome;
use vedette_server::{Account, Order, Orders};

use super::bundle::{self, Board};
use super::config::Server;
use super::log::Log;
use super::respond::{self, Responder};
use super::server::Client;

/// Seconds that the server may keep a request waiting.
const WAIT: u64 = 20;
/// Time for one request: the wait, and a slow way.
const TIMEOUT: Duration = Duration::from_secs(WAIT + 15);
/// Pause after a request that failed.
const AGAIN: Duration = Duration::from_secs(5);
/// Pause while orders are at work that the server names again.
const AT_WORK: Duration = Duration::from_millis(500);
/// Times that an outcome is told before the server is left to ask again.
const TELLS: u32 = 3;
/// Largest answer with orders, in bytes.
const MAX_ORDERS: u64 = 1 << 20;

/// The ear.
struct Ear {
    client: Client,
    log: Log,
    responder: Arc<Responder>,
    /// Why no orders are carried out.
    refuses: Option<String>,
    /// Where bundles go, when they are taken.
    dir: Option<PathBuf>,
    board: Board,
    /// Version on disk.
    have: String,
}

/// Begins to listen. `respond` says whether orders are carried out.
pub(crate) fn start(server: &Server, board: &Board, log: &Log) -> anyhow::Result<()> {
    let refuses = if server.respond {
        respond::able().err()
    } else {
        Some("server.respond is off in its configuration".to_owned())
    };
    if let Some(why) = &refuses {
        log.info("orders of people are not carried out", &[("reason", why)]);
    }
    let dir = server.bundle_dir();
    let have = dir
        .as_deref()
        .and_then(|dir| bundle::read(dir).ok().flatten());
    let ear = Ear {
        client: Client::new(server, TIMEOUT)?,
        log: log.clone(),
        responder: Arc::default(),
        refuses,
        dir,
        board: Arc::clone(board),
        have: have.map(|bundle| bundle.version).unwrap_or_default(),
    };
    thread::Builder::new()
        .name("orders".to_owned())
        .spawn(move || ear.run())
        .context("starting the thread that waits for orders")?;
    Ok(())
}

impl Ear {
    fn run(mut self) {
        let mut away = false;
        loop {
            match self.ask() {
                Ok(orders) => {
                    if std::mem::take(&mut away) {
                        self.log.info("the server answers again", &[]);
                    }
                    self.take(orders);
                }
                Err(error) => {
                    // said once: a server that is away for a night needs no thousand lines
                    if !std::mem::replace(&mut away, true) {
                        let error = format!("{error:#}");
                        self.log.warn(
                            "the server cannot be asked for orders",
                            &[("error", &error)],
                        );
                    }
                    thread::sleep(AGAIN);
                }
            }
        }
    }

    fn ask(&self) -> anyhow::Result<Orders> {
        let wait = WAIT.to_string();
        let refuses = self.refuses.as_ref().map(|why| format!("no: {why}"));
        let mut query = vec![("wait", wait.as_str())];
        if let Some(refuses) = &refuses {
            query.push(("responds", refuses));
        }
        if self.dir.is_some() {
            query.push(("bundle", &self.have));
        }
        let bytes = self.client.get("/orders", &query, MAX_ORDERS)?;
        serde_json::from_slice(&bytes).context("the server's answer")
    }

    fn take(&mut self, orders: Orders) {
        let mut at_work = false;
        for order in orders.orders {
            at_work |= !self.hand_out(order);
        }
        if self.dir.is_some() && orders.bundle != self.have {
            if let Err(error) = self.fetch(&orders.bundle) {
                let error = format!("{error:#}");
                self.log.error(
                    "the server's rules and policies cannot be taken; those at work stay",
                    &[("error", &error)],
                );
                bundle::tell(&self.board, |in_use| in_use.problem = error);
                thread::sleep(AGAIN);
            }
        } else if at_work {
            thread::sleep(AT_WORK);
        }
    }

    /// Gives an order to a thread of its own, since stopping a container takes its time. False when it is at work already.
    fn hand_out(&self, order: Order) -> bool {
        if let Some(why) = &self.refuses {
            let account = respond::withheld(why.as_str());
            tell(&self.client, &self.log, &order, &account);
            return false;
        }
        if self.responder.is_at_work(&order.id) {
            return false;
        }
        let (client, log) = (self.client.clone(), self.log.clone());
        let responder = Arc::clone(&self.responder);
        let spawned = thread::Builder::new()
            .name("order".to_owned())
            .spawn(move || carry_out(&client, &log, &responder, &order));
        if let Err(error) = spawned {
            self.log
                .error("an order cannot be carried out", &[("error", &error)]);
        }
        false
    }

    fn fetch(&mut self, wanted: &str) -> anyhow::Result<()> {
        let bytes = self.client.get("/bundle", &[], bundle::MAX_BUNDLE)?;
        let found = bundle::verified(&bytes)?;
        self.log.info(
            "rules and policies came from the server",
            &[
                ("version", &found.version),
                ("rules", &found.rules.len()),
                ("policies", &found.policies.len()),
            ],
        );
        if found.version != wanted {
            self.log.debug("they have changed meanwhile", &[]);
        }
        if let Some(dir) = &self.dir {
            // whoever watches the directory takes it from there
            bundle::store(dir, &bytes)?;
        }
        self.have = found.version;
        Ok(())
    }
}

fn carry_out(client: &Client, log: &Log, responder: &Responder, order: &Order) {
    let Some(account) = responder.carry_out(order) else {
        return;
    };
    let outcome = match account.outcome {
        Outcome::Done => "done",
        Outcome::DryRun => "dry_run",
        Outcome::Failed => "failed",
        Outcome::Withheld => "withheld",
    };
    log.info(
        "order",
        &[
            ("kind", &order.deed.word()),
            ("outcome", &outcome),
            ("detail", &account.detail),
            ("by", &order.by),
            ("about", &order.rule),
            ("pid", &order.aim.pid),
            ("container", &order.aim.container),
        ],
    );
    tell(client, log, order, &account);
}

fn tell(client: &Client, log: &Log, order: &Order, account: &Account) {
    let path = format!("/orders/{}/account", order.id);
    for again in 0..TELLS {
        if again > 0 {
            thread::sleep(Duration::from_secs(1));
        }
        match client.post(&path, &serde_json::json!(account)) {
            Ok(()) => return,
            Err(error) => log.warn("the server was not told of an order", &[("error", &error)]),
        }
    }
}
