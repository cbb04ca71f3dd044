#![allow(clippy::unwrap_used, clippy::panic)]
use std::collections::BTreeMap;

use super::*;

const SECRET: &str = "a-secret-of-thirty-two-bytes--ok";

fn parse(arguments: &[&str]) -> Result<(Command, Settings), String> {
    with_secret(arguments, None)
}

fn with_secret(arguments: &[&str], secret: Option<&str>) -> Result<(Command, Settings), String> {
    read_from(["converge"].iter().chain(arguments), secret).map_err(|error| error.to_string())
}

fn refused(arguments: &[&str]) -> String {
    match parse(arguments) {
        Ok(_) => panic!("{arguments:?} was accepted"),
        Err(text) => text,
    }
}

/// A file that is gone with the test.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = env::temp_dir().join(format!("converge-{}-{name}", std::process::id()));
        fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn without_settings_it_serves_with_the_defaults() {
    let (command, settings) = parse(&[]).unwrap();
    assert_eq!(command, Command::Serve);
    assert_eq!(settings.server.hub.limits, Limits::default());
    assert_eq!(settings.server.auth.kind(), "open");
    assert!(settings.tokens.is_none() && settings.listen.tls.is_none() && settings.metrics_addr.is_none());
    assert_eq!(settings.warnings(None), [""; 0]);
}

#[test]
fn every_default_that_the_help_names_is_the_default() {
    let defaults: toml::Table = toml::from_str(&toml::to_string(&Given::defaults()).unwrap()).unwrap();
    let mut named = 0;
    for argument in Cli::command().get_arguments() {
        let (Some(long), Some(help)) = (argument.get_long(), argument.get_help()) else { continue };
        let help = help.to_string();
        let Some((_, rest)) = help.split_once("[default: ") else { continue };
        let expected = rest.strip_suffix(']').unwrap();
        match defaults.get(long) {
            None => assert_eq!(expected, "nowhere", "{long}"),
            Some(toml::Value::String(text)) => assert_eq!(text, expected, "{long}"),
            Some(other) => assert_eq!(other.to_string(), expected, "{long}"),
        }
        named += 1;
    }
    assert!(named > 25, "{named}");
}

#[test]
fn every_setting_has_a_flag_a_variable_and_a_key_of_one_name() {
    for argument in Cli::command().get_arguments() {
        let Some(long) = argument.get_long().filter(|long| !matches!(*long, "help" | "version")) else { continue };
        let variable = argument.get_env().unwrap_or_else(|| panic!("--{long} has no variable"));
        assert_eq!(variable.to_str().unwrap(), format!("CONVERGE_{}", long.to_uppercase().replace('-', "_")));
    }
}

#[test]
fn flags_come_before_the_file() {
    let file = File::new("both.toml", "max-topic-members = 8\ngrace = \"1m 30s\"\nice-server = [\"stun:a.example\"]\n");
    let (_, settings) = parse(&["--config", file.path(), "--max-topic-members", "9"]).unwrap();
    assert_eq!(settings.server.hub.limits.max_topic_members, 9);
    assert_eq!(settings.server.hub.grace, std::time::Duration::from_secs(90));
    assert_eq!(settings.server.hub.ice_servers[0].urls, ["stun:a.example"]);
}

#[test]
fn what_check_prints_is_a_file_that_gives_the_same() {
    let arguments =
        ["check", "--max-sample", "16", "--trusted-proxy", "10.0.0.0/8", "--allow-origin", "https://a.example"];
    let (command, settings) = parse(&arguments).unwrap();
    assert_eq!(command, Command::Check);
    let text = settings.to_toml().unwrap();
    let file = File::new("printed.toml", &text);
    let (_, again) = parse(&["--config", file.path()]).unwrap();
    assert_eq!(again.to_toml().unwrap(), text);
    assert_eq!(again.server.hub.limits.max_sample, 16);
    assert_eq!(again.server.origins.named(), ["https://a.example"]);
}

#[test]
fn secrets_are_not_printed() {
    let file = File::new("ice.toml", "ice-server = [\"turn:a.example,ada,very-secret\"]\n");
    let (_, settings) = with_secret(&["--auth", "token", "--config", file.path()], Some(SECRET)).unwrap();
    let text = settings.to_toml().unwrap();
    assert!(text.contains("turn:a.example,ada,<hidden>"), "{text}");
    assert!(!text.contains("very-secret") && !text.contains(SECRET), "{text}");
    assert_eq!(settings.server.hub.ice_servers[0].credential.as_deref(), Some("very-secret"), "but used");
}

#[test]
fn a_password_as_an_argument_is_refused() {
    let arguments = ["--ice-server", "turn:a.example,ada,very-secret"];
    for arguments in [arguments.to_vec(), [&["check"], &arguments[..]].concat(), [&arguments[..], &["check"]].concat()]
    {
        let text = refused(&arguments);
        assert!(text.contains("CONVERGE_ICE_SERVER") && !text.contains("very-secret"), "{text}");
    }
    assert!(parse(&["--ice-server", "stun:a.example"]).is_ok());
}

#[test]
fn a_network_server_without_hosts_is_warned_about() {
    let (_, settings) = parse(&["--host", "meet.example", "--host", "a.example"]).unwrap();
    let origins = &settings.server.origins;
    assert!(
        origins.is_own_host("meet.example") && origins.is_own_host("a.example") && !origins.is_own_host("b.example")
    );
    let warnings = |arguments: &[&str]| parse(arguments).unwrap().1.warnings(None).join("\n");
    assert!(warnings(&["--addr", "0.0.0.0:80"]).contains("without --host"));
    assert_eq!(warnings(&["--addr", "0.0.0.0:80", "--host", "meet.example"]), "");
}

#[test]
fn too_few_descriptors_are_warned_about() {
    let (_, settings) = parse(&["--max-connections", "1000"]).unwrap();
    let text = settings.warnings(Some(896)).join("\n");
    assert!(text.contains("descriptors for 896 connections, fewer than --max-connections 1000"), "{text}");
    assert_eq!(settings.warnings(Some(1000)), [""; 0]);
}

#[test]
fn tokens_need_a_secret_from_a_file_or_the_environment() {
    assert!(refused(&["--auth", "token"]).contains("needs a secret"));
    let file = File::new("secret", &format!("{SECRET}\nanother-secret-of-thirty-two-bytes\n"));
    let (_, settings) = parse(&["--auth", "token", "--token-secret-file", file.path()]).unwrap();
    assert_eq!(settings.server.auth.kind(), "token");
    let (_, settings) = with_secret(&["--auth", "token"], Some(SECRET)).unwrap();
    assert_eq!(settings.server.auth.kind(), "token");
    let error = with_secret(&["--auth", "token"], Some("short")).err().unwrap();
    assert!(error.contains("at least 32 bytes") && !error.contains("short"), "{error}");
    assert!(refused(&["--token-secret-file", "/nowhere/secret"]).contains("can't read /nowhere/secret"));
}

#[test]
fn a_token_is_asked_for_by_its_room() {
    let arguments = ["token", "--room", "lobby", "--valid-for", "1h", "--no-relay"];
    let (command, settings) = with_secret(&arguments, Some(SECRET)).unwrap();
    let valid_for = Time(std::time::Duration::from_secs(3600));
    assert_eq!(command, Command::Token { room: "lobby".to_owned(), valid_for, no_relay: true, sub: None });
    assert!(settings.tokens.is_some());
    let id = PeerId::from_bytes([7; 32]);
    let (command, _) = parse(&["token", "--room", "lobby", "--sub", &id.to_string()]).unwrap();
    assert!(matches!(command, Command::Token { sub: Some(sub), .. } if sub == id));
}

#[test]
fn bad_values_are_refused_with_the_reason() {
    let cases: BTreeMap<&[&str], &str> = BTreeMap::from([
        (&["--ice-server", "a.example"][..], "is no ICE server"),
        (&["--ice-server", "turn:a.example"], "user name and a password"),
        (&["--addr", "here"], "invalid socket address"),
        (&["--max-topic-members", "many"], "invalid digit"),
        (&["--max-topic-members", "0"], "max_topic_members must be at least 1"),
        (&["--max-sample", "501"], "max_sample must be 1 to 500"),
        (&["--frames-per-second", "0"], "frames_per_second must be at least 1"),
        (&["--hello-within", "0s"], "hello_within_ms must be at least 1"),
        (&["--ping-every", "0s"], "ping_every must be longer than no time"),
        (&["--first-byte-within", "0s"], "--first-byte-within must be longer than no time"),
        (&["--send-within", "0s"], "--send-within must be longer than no time"),
        (&["--pages-per-second-per-ip", "0"], "--pages-per-second-per-ip must be at least 1"),
        (&["--page-burst-per-ip", "0"], "--page-burst-per-ip must be at least 1"),
        (&["--host", "https://meet.example"], "\"https://meet.example\" is no name"),
        (&["--grace", "soon"], "invalid value 'soon'"),
        (&["--allow-origin", "app.example"], "\"app.example\" is no origin"),
        (&["--trusted-proxy", "10.0.0.0"], "invalid value"),
        (&["--auth", "maybe"], "possible values: open, token"),
        (&["token", "--room", "lobby", "--sub", "ada"], "expected 32 bytes written as base32"),
        (&["--tls-cert", "cert.pem"], "go together"),
        (&["--tls-cert", "/nowhere", "--tls-key", "/nowhere"], "can't read /nowhere"),
        (&["--token-secret", "secret"], "unexpected argument"),
        (&["--config", "/nowhere/converge.toml"], "can't read /nowhere/converge.toml"),
        (&["dance"], "unrecognized subcommand"),
    ]);
    for (arguments, reason) in cases {
        let text = refused(arguments);
        assert!(text.contains(reason), "{arguments:?}: {text}");
    }
}

#[test]
fn bad_files_are_refused_with_the_line() {
    for (name, text, reason) in [
        ("unknown.toml", "max-topic-member = 3", "unknown field `max-topic-member`"),
        ("type.toml", "max-topic-members = \"three\"", "invalid type"),
        ("time.toml", "grace = 5", "invalid type"),
        ("syntax.toml", "addr = ", "line 1"),
        ("secret.toml", "token-secret = \"x\"", "unknown field `token-secret`"),
        ("config.toml", "config = \"other.toml\"", "unknown field `config`"),
    ] {
        let file = File::new(name, text);
        let error = refused(&["--config", file.path()]);
        assert!(error.contains(reason) && error.contains(name), "{name}: {error}");
    }
}

#[test]
fn misspelt_variables_are_refused() {
    let check = |name: &str| check_variables([name.to_owned()].into_iter()).map_err(|error| error.to_string());
    for good in ["CONVERGE_ADDR", "CONVERGE_TOKEN_SECRET", "CONVERGE_CONFIG", "CONVERGE_MAX_TOPIC_MEMBERS"] {
        assert_eq!(check(good), Ok(()));
    }
    let error = check("CONVERGE_MAX_TOPIC_MEMBER").unwrap_err();
    assert!(error.contains("no setting CONVERGE_MAX_TOPIC_MEMBER"), "{error}");
}

#[test]
fn what_is_seldom_meant_is_said() {
    let warnings = |arguments: &[&str]| parse(arguments).unwrap().1.warnings(None).join("\n");
    assert!(warnings(&["--allow-origin", "*"]).contains("every page on the web"));
    assert!(warnings(&["--addr", "0.0.0.0:80", "--metrics-addr", "0.0.0.0:81"]).contains("can be reached"));
    assert!(warnings(&["--max-topic-members", "1000"]).contains("rooms of more than 501"));
}
