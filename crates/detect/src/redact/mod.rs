//! Hides secrets in what leaves the machine: passwords, tokens and keys in command lines, environments and texts made of
//! them.
//!
//! A secret is known by the name before it (`--password x`, `API_TOKEN=x`), by the program whose option it is
//! (`mysql -px`, `curl -u user:x`), by its place (`https://user:x@host`, `Authorization: Bearer x`), or by its own form
//! (an AWS key id, a JSON web token). It is better to hide a value too many than one too few.

mod signs;

use std::borrow::Cow;

use serde_json::Value as Json;
use signs::{FORMS, Form, HARMLESS, OPTIONS, PARTS, URL, WITHIN};
use vedette_event::{Activity, Alert, Clause, Finding, Process};

/// What stands for a hidden value.
pub const HIDDEN: &str = "<redacted>";

/// Hides secrets.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    more: Vec<String>,
}

impl Redactor {
    /// Also hides the values of names that contain one of these words.
    pub fn new(words: &[String]) -> Self {
        Self {
            more: words
                .iter()
                .filter(|word| !word.is_empty())
                .map(|word| word.to_ascii_lowercase())
                .collect(),
        }
    }

    /// A text without its secrets; the text itself when it has none.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut out = match FORMS.replace_all(text, HIDDEN) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(changed) => Cow::Owned(changed),
        };
        if out.contains("://")
            && let Cow::Owned(changed) = URL.replace_all(&out, format!("${{1}}{HIDDEN}@"))
        {
            out = Cow::Owned(changed);
        }
        match self.words(&out) {
            Some(changed) => Cow::Owned(changed),
            None => out,
        }
    }

    /// An alert without secrets.
    pub fn alert(&self, alert: &mut Alert) {
        let message = alert.message();
        if let Cow::Owned(hidden) = self.text(message) {
            alert.output.truncate(alert.message_at);
            alert.output.push_str(&hidden);
        }
        if let Ok(mut fields) = serde_json::from_str::<Json>(&alert.fields)
            && self.json(&mut fields)
        {
            alert.fields = fields.to_string();
        }
    }

    /// A finding without secrets.
    pub fn finding(&self, finding: &mut Finding) {
        self.string(&mut finding.message);
        for value in finding.fields.values_mut() {
            self.json(value);
        }
        for process in &mut finding.lineage {
            self.process(process);
        }
        if let Some(why) = &mut finding.why {
            self.clause(why);
        }
        for action in &mut finding.actions {
            self.string(&mut action.detail);
        }
    }

    /// An activity record without secrets.
    pub fn activity(&self, activity: &mut Activity) {
        self.process(&mut activity.process);
        self.process(&mut activity.parent);
        for value in activity.fields.values_mut() {
            self.json(value);
        }
    }

    fn process(&self, process: &mut Process) {
        self.string(&mut process.cmdline);
    }

    fn clause(&self, clause: &mut Clause) {
        if let Some(seen) = &mut clause.seen {
            self.string(seen);
        }
        for inner in &mut clause.clauses {
            self.clause(inner);
        }
    }

    fn string(&self, text: &mut String) -> bool {
        match self.text(text) {
            Cow::Owned(hidden) => {
                *text = hidden;
                true
            }
            Cow::Borrowed(_) => false,
        }
    }

    /// Hides secrets in every text of a value; true when something was hidden.
    fn json(&self, value: &mut Json) -> bool {
        match value {
            Json::String(text) => self.string(text),
            Json::Array(items) => items
                .iter_mut()
                .fold(false, |any, item| self.json(item) | any),
            Json::Object(entries) => entries.iter_mut().fold(false, |any, (name, item)| {
                let named = match item {
                    Json::String(text) if self.is_secret(name) && !text.is_empty() => {
                        HIDDEN.clone_into(text);
                        true
                    }
                    item => self.json(item),
                };
                named | any
            }),
            _ => false,
        }
    }

    /// Whether the value of something with this name is a secret.
    fn is_secret(&self, name: &str) -> bool {
        let name = name.trim_start_matches('-').to_ascii_lowercase();
        if HARMLESS.iter().any(|harmless| name.ends_with(harmless)) {
            return false;
        }
        WITHIN.iter().any(|word| name.contains(word))
            || self.more.iter().any(|word| name.contains(word.as_str()))
            || name
                .split(['-', '_', '.'])
                .any(|part| PARTS.contains(&part))
    }

    /// Goes through the words of a command line. `None` when nothing is hidden.
    fn words(&self, text: &str) -> Option<String> {
        let mut out = String::new();
        let mut done = 0;
        let mut program: &str = "";
        let mut login = false;
        // what the word before says of this one
        let mut next: Option<Form> = None;
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            let blank = rest.len() - rest.trim_start().len();
            let start = at + blank;
            let rest = &text[start..];
            let len = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let word = &rest[..len];
            at = start + len;
            let mut hide = |from: usize, to: usize| {
                if from < to && &text[from..to] != HIDDEN {
                    out.push_str(&text[done..from]);
                    out.push_str(HIDDEN);
                    done = to;
                }
            };
            if let Some(form) = next.take() {
                let quoted = word.trim_start_matches(['"', '\'']);
                let from = start + word.len() - quoted.len();
                let to = from + quoted.trim_end_matches(['"', '\'']).len();
                let value = &text[from..to];
                let inside = |mark: char| value.find(mark).map(|at| from + at + 1);
                match form {
                    Form::Pair => {
                        if let Some(behind) = inside(':') {
                            hide(behind, to);
                        }
                        continue;
                    }
                    Form::Percent => {
                        if let Some(behind) = inside('%') {
                            hide(behind, to);
                        }
                        continue;
                    }
                    // `--password --verbose`: the option took nothing
                    _ if word.starts_with('-') && word.len() > 1 && form != Form::Next => {}
                    // `Authorization: Bearer x`: the scheme is no secret
                    _ if matches!(
                        value.to_ascii_lowercase().as_str(),
                        "bearer" | "basic" | "digest" | "token"
                    ) =>
                    {
                        next = Some(Form::Next);
                        continue;
                    }
                    _ => {
                        hide(from, to);
                        // what follows is another program's command line
                        if program == "sshpass" {
                            program = "";
                        }
                        continue;
                    }
                }
            }
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word, None),
            };
            // every `NAME=value` of the word: options, query strings, lists of an environment
            let mut from = 0;
            let mut hidden = false;
            while let Some(sign) = word[from..].find('=').map(|sign| from + sign) {
                let rest = &word[sign + 1..];
                from = sign + 1;
                if self.is_secret(name_before(word, sign)) {
                    let length = value_length(rest);
                    hide(start + from, start + from + length);
                    from += length;
                    hidden = true;
                }
            }
            if hidden {
                continue;
            }
            // `command=mysql -px` in an alert's text: the program stands behind the sign
            let maybe = value.unwrap_or(word).trim_matches(['"', '\'']);
            let base = maybe.rsplit('/').next().unwrap_or(maybe);
            if let Some((known, ..)) = OPTIONS.iter().find(|(known, ..)| *known == base) {
                program = known;
                login = false;
                continue;
            }
            login |= word == "login";
            for (_, option, form) in OPTIONS.iter().filter(|(known, ..)| *known == program) {
                if word == *option {
                    next = match form {
                        Form::Glued => None,
                        Form::Login if !login => None,
                        form => Some(*form),
                    };
                    break;
                }
                if let Some(glued) = word.strip_prefix(option)
                    && matches!(form, Form::Glued | Form::Either)
                    && !option.starts_with("--")
                {
                    hide(at - glued.len(), at);
                    if program == "sshpass" {
                        program = "";
                    }
                    break;
                }
            }
            if next.is_none() && value.is_none() {
                let bare = name.trim_start_matches(['"', '\'']);
                let header = bare.strip_suffix(':');
                let is_option = bare.starts_with('-') && bare.len() > 2;
                if (is_option || header.is_some()) && self.is_secret(header.unwrap_or(bare)) {
                    next = Some(Form::Either);
                } else if bare.eq_ignore_ascii_case("bearer") {
                    next = Some(Form::Next);
                }
            }
        }
        if out.is_empty() && done == 0 {
            return None;
        }
        out.push_str(&text[done..]);
        Some(out)
    }
}

/// The name that ends at byte `end`: letters, digits, `-` and `_`.
fn name_before(word: &str, end: usize) -> &str {
    let head = &word[..end];
    let other = |c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_'));
    let start = head
        .char_indices()
        .rev()
        .find(|(_, c)| other(*c))
        .map_or(0, |(at, c)| at + c.len_utf8());
    &head[start..]
}

/// How much of `rest` is the value: up to the next pair of a query string or of a list of an environment, which the
/// fields of an event join with dots.
fn value_length(rest: &str) -> usize {
    let mut end = rest.find(['&', ';']).unwrap_or(rest.len());
    let mut from = 0;
    while let Some(sign) = rest[from..end].find('=').map(|sign| from + sign) {
        let name = name_before(rest, sign);
        let before = sign - name.len();
        // in capitals, as names of an environment are: a value may itself have dots and signs
        let is_variable = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        if is_variable && before > 0 && rest.as_bytes()[before - 1] == b'.' {
            end = before - 1;
            break;
        }
        from = sign + 1;
    }
    rest[..end].trim_end_matches(['"', '\'']).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_and_everything_else_stays() {
        let redactor = Redactor::new(&["pin".to_owned()]);
        for (text, expected) in [
            // by the name before it
            ("app --password hunter2 -v", "app --password <redacted> -v"),
            ("app --password=hunter2 -v", "app --password=<redacted> -v"),
            ("app --password --verbose", "app --password --verbose"),
            (
                "env DB_PASSWORD=a PGPASSWORD=b PATH=/bin",
                "env DB_PASSWORD=<redacted> PGPASSWORD=<redacted> PATH=/bin",
            ),
            (
                "env=PATH=/bin.DB_PASSWORD=a.b=c.HOME=/root.",
                "env=PATH=/bin.DB_PASSWORD=<redacted>.HOME=/root.",
            ),
            (
                "java -Dspring.datasource.password=x -jar a",
                "java -Dspring.datasource.password=<redacted> -jar a",
            ),
            (
                "aws_secret_access_key=abc/def+g",
                "aws_secret_access_key=<redacted>",
            ),
            ("x --api-key 'abc'", "x --api-key '<redacted>'"),
            ("x --card-pin 1234", "x --card-pin <redacted>"),
            (
                "x --token-file /run/t --compass n",
                "x --token-file /run/t --compass n",
            ),
            (
                "kubectl create secret generic a",
                "kubectl create secret generic a",
            ),
            (
                "curl 'http://h/?token=abc&x=1'",
                "curl 'http://h/?token=<redacted>&x=1'",
            ),
            (
                "curl http://h/?x=1&access_token=abc&y=2",
                "curl http://h/?x=1&access_token=<redacted>&y=2",
            ),
            // by the program
            (
                "mysql -u root -phunter2 db",
                "mysql -u root -p<redacted> db",
            ),
            ("mysql -u root -p db", "mysql -u root -p db"),
            ("tar -pxf a", "tar -pxf a"),
            (
                "/usr/bin/sshpass -p x ssh -p 22 h",
                "/usr/bin/sshpass -p <redacted> ssh -p 22 h",
            ),
            ("sshpass -px ssh h", "sshpass -p<redacted> ssh h"),
            ("curl -u bob:x http://h", "curl -u bob:<redacted> http://h"),
            ("curl -u bob http://h", "curl -u bob http://h"),
            ("docker run -p 80:80 i", "docker run -p 80:80 i"),
            (
                "docker login -u a -p x h",
                "docker login -u a -p <redacted> h",
            ),
            ("redis-cli -a x ping", "redis-cli -a <redacted> ping"),
            (
                "command=mysql -px process=mysql",
                "command=mysql -p<redacted> process=mysql",
            ),
            // by its place
            (
                "psql postgres://u:x@h:5432/d",
                "psql postgres://u:<redacted>@h:5432/d",
            ),
            (
                "git clone https://u:x@h/r",
                "git clone https://u:<redacted>@h/r",
            ),
            ("curl http://h:80/a@b", "curl http://h:80/a@b"),
            (
                "curl -H 'Authorization: Bearer abc.def' h",
                "curl -H 'Authorization: Bearer <redacted>' h",
            ),
            (
                "curl -H \"X-Api-Key: abc\" h",
                "curl -H \"X-Api-Key: <redacted>\" h",
            ),
            // by its form
            ("echo AKIAIOSFODNN7EXAMPLE x", "echo <redacted> x"),
            (
                "echo ghp_0123456789abcdefghijABCDEFGHIJ012345",
                "echo <redacted>",
            ),
            (
                "x eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc y",
                "x <redacted> y",
            ),
            (
                "cat -----BEGIN RSA PRIVATE KEY----- MIIE== -----END RSA PRIVATE KEY----- y",
                "cat <redacted> y",
            ),
            // nothing to hide
            ("ls -la /etc/passwd", "ls -la /etc/passwd"),
            ("grep -r password /etc", "grep -r password /etc"),
            ("", ""),
            ("  ", "  "),
            ("=", "="),
            ("--password", "--password"),
            ("--password=", "--password="),
            ("é=ü.ö=ß passwörd=x", "é=ü.ö=ß passwörd=x"),
            ("tokené=ü", "tokené=<redacted>"),
        ] {
            let hidden = redactor.text(text);
            assert_eq!(hidden, expected);
            assert_eq!(redactor.text(&hidden), expected, "twice is as once");
        }
    }

    #[test]
    fn records_lose_their_secrets_everywhere() {
        let mut alert = Alert {
            time: 0,
            rule: "r".into(),
            priority: vedette_event::Priority::Error,
            source: "syscall".into(),
            tags: Vec::new().into(),
            hostname: "h".into(),
            output: "0: Error command=x --password y".to_owned(),
            message_at: 9,
            fields: r#"{"container.label[token]":"y","proc.cmdline":"x --password y","n":1}"#
                .to_owned(),
        };
        Redactor::default().alert(&mut alert);
        assert_eq!(alert.output, "0: Error command=x --password <redacted>");
        assert_eq!(
            alert.fields,
            r#"{"container.label[token]":"<redacted>","n":1,"proc.cmdline":"x --password <redacted>"}"#
        );
        let cmdline = || "x --password y".to_owned();
        let mut finding = Finding {
            id: String::new(),
            time: 0,
            source: String::new(),
            rule: String::new(),
            priority: vedette_event::Priority::Error,
            message: cmdline(),
            tags: Vec::new(),
            node: String::new(),
            fields: [("a".to_owned(), Json::from(vec![cmdline()]))].into(),
            lineage: vec![Process {
                cmdline: cmdline(),
                ..Process::default()
            }],
            why: Some(Clause {
                text: "and".to_owned(),
                holds: true,
                seen: None,
                clauses: vec![Clause {
                    text: "proc.cmdline contains x".to_owned(),
                    holds: true,
                    seen: Some(cmdline()),
                    clauses: Vec::new(),
                }],
            }),
            policy: None,
            actions: Vec::new(),
            lost: 0,
        };
        Redactor::default().finding(&mut finding);
        let text = serde_json::to_string(&finding).unwrap();
        assert_eq!(text.matches("--password <redacted>").count(), 4, "{text}");
        assert!(!text.contains("password y"));
    }
}
