use vedette_scap::{Item, Reader};
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let what = std::env::args().nth(2).unwrap();
    let mut r = Reader::new(std::io::BufReader::new(std::fs::File::open(path).unwrap()));
    while let Ok(Some(item)) = r.next() {
        match &item {
            Item::Event(e) => if what == "events" || what == format!("{}", e.num) || what == format!("tid{}", e.tid) { println!("EV {} {} {:?} tid {} {:?}", e.num, e.kind.name(), e.kind.0, e.tid, (0..8).map(|i| e.param(i).map(|p| String::from_utf8_lossy(p).into_owned())).collect::<Vec<_>>()); },
            Item::State(e) => if what == "events" || what == "state" || what == format!("tid{}", e.tid) { println!("ST {} {} tid {} {:?}", e.num, e.kind.name(), e.tid, (0..4).map(|i| e.param(i).map(|p| String::from_utf8_lossy(p).into_owned())).collect::<Vec<_>>()); },
            Item::User(_) | Item::Group(_) => if what == "users" { println!("{item:?}") },
            Item::Interface(_) | Item::Machine(_) => if what == "net" { println!("{item:?}") },
            Item::Process(p) => if what == format!("p{}", p.tid) || what == "procs" { println!("{item:?}"); },
            Item::Fd { tid, entry } => if what == format!("p{tid}") || what == "fds" { println!("{tid} {entry:?}"); },
            _ => {}
        }
    }
}
