//! A home with everything that examples speak of, and what stands here for what an example names: addresses,
//! directories of a server, a service.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tikti_store::testing::RedisServer;

use crate::audit::signed;
use crate::rs_check::{Server, free_address};
use crate::serve::SECRETS;
use crate::support::{Dev, Home, Outcome, TIKTI, finish};

const USERS: &str = r#"{"id":"u-1","email":"bob@example.org"}
"#;
const EXPORT: &str = r#"{"users":[{"localId":"8Ab_cD-firebase","email":"cid@example.org"}]}"#;
const HASH_CONFIG: &str = "\
hash_config {
  algorithm: SCRYPT,
  base64_signer_key: jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==,
  base64_salt_separator: Bw==,
  rounds: 8,
  mem_cost: 14,
}
";
const API_KEY: &str = "tk_bootstrap00_ABCDEFGHIJKLMNOPQRSTUVWXYZ012345\n";
const BACKUP_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
const EXCHANGE: &str = "token exchange --aud backend-worker --scope jobs:read,jobs:write \
                        --tenant codecompany --sub worker-01";

pub(super) struct World {
    dev: Dev,
    home: Home,
    redis: RedisServer,
    /// What an older Tikti has left.
    old: RedisServer,
    /// Takes the tokens of the server, at `http://127.0.0.1:9000/jobs` of the examples.
    service: Option<Server>,
    /// The profile file with a session that holds.
    profiles: Vec<u8>,
    id_token: String,
    /// What stands for `codecompany`: the slug of a tenant that was deleted is not given again.
    slug: String,
    /// How many slugs there were.
    slugs: usize,
    /// Whether the tenant has been there.
    is_used: bool,
}

impl World {
    pub(super) fn new() -> Self {
        let home = Home::new();
        let dev = Dev::start_with(&home, "127.0.0.1:0", "");
        let redis = RedisServer::start_with(&["--appendonly", "yes"]);
        let mut world = Self {
            home,
            dev,
            redis,
            old: RedisServer::start(),
            service: None,
            profiles: Vec::new(),
            id_token: String::new(),
            slug: "codecompany".to_owned(),
            slugs: 1,
            is_used: false,
        };
        for directory in [
            "work/examples",
            "bin",
            "other-home",
            "etc/tikti",
            "var/lib",
            "run/secrets",
            "untouched",
            ".zfunc",
            ".local/share/bash-completion/completions",
            ".config/fish/completions",
        ] {
            fs::create_dir_all(world.path(directory)).unwrap();
        }
        std::os::unix::fs::symlink(TIKTI, world.path("bin/tikti")).unwrap();
        // For whoever restarts a server after a look at its configuration.
        std::os::unix::fs::symlink("/bin/true", world.path("bin/systemctl")).unwrap();
        let line = format!("dev --data {}", world.path("untouched/data").display());
        world.start_and_stop(&line, "other-home");
        let store = format!("embedded:{}", world.path("var/lib/tikti").display());
        let configuration = |store: &str| {
            format!(
                "issuer: http://127.0.0.1:8080\nlisten: 127.0.0.1:0\nstore: {{url: \"{store}\"}}\n{SECRETS}"
            )
        };
        fs::write(world.path("etc/tikti/config.yaml"), configuration(&store)).unwrap();
        fs::write(world.path("work/kvrocks.yaml"), configuration(&world.redis.url())).unwrap();
        fs::write(world.path("run/secrets/store-url"), world.redis.url()).unwrap();
        fs::write(world.path("run/secrets/admin-password"), "an umbrella in october\n").unwrap();
        fs::write(world.path("run/secrets/api-key"), API_KEY).unwrap();
        let line = format!("serve --config {}", world.path("etc/tikti/config.yaml").display());
        world.start_and_stop(&line, "other-home");
        fs::rename(world.path("var/lib/tikti"), world.path("untouched/tikti")).unwrap();
        world.write_files();
        world.sign_in();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Starts a server until it says something, so that its directory is there.
    fn start_and_stop(&self, line: &str, home: &str) {
        let listen = if line.starts_with("dev") { " --listen 127.0.0.1:0" } else { "" };
        let outcome = self.stopped(&format!("tikti {line}{listen}"), home);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
    }

    fn write_files(&self) {
        let work = self.path("work");
        let write = |name: &str, text: &str| fs::write(work.join(name), text).unwrap();
        write("backup.key", BACKUP_KEY);
        write("examples/apply.yaml", include_str!("../../../../../examples/apply.yaml"));
        write("users.jsonl", USERS);
        write("export.json", EXPORT);
        write("hash.txt", HASH_CONFIG);
        write("password.txt", &format!("{}\n", self.dev.text("adminPassword")));
        let made = self.in_sh("openssl genpkey -algorithm RSA -out key.pem");
        assert_eq!(made.code, Some(0), "{made:?}");
    }

    fn sign_in(&mut self) {
        self.home
            .run(&format!("init --host {} --tenant {}", self.dev.text("url"), self.slug))
            .done();
        self.home.sign_in(&self.dev).done();
        self.id_token = self.home.run("token show --type id").done().trim().to_owned();
        self.profiles = fs::read(self.home.config()).unwrap();
    }

    /// Makes what is missing; whatever the example itself makes is taken away.
    pub(super) fn restore(&mut self, example: &str) {
        self.service = None;
        fs::write(self.home.config(), &self.profiles).unwrap();
        if self.call("GET", "/v1/accounts/sessions", None).0 != 200 {
            self.sign_in();
        }
        self.restore_tenant();
        let token = self.home.run(&EXCHANGE.replace("codecompany", &self.slug)).done();
        fs::write(self.path("work/token.txt"), token).unwrap();
        let exported = self.home.run(&format!("audit export --tenant {}", self.slug)).done();
        self.write_log(&exported);
        self.clear_the_way(example);
        if ["/etc/tikti", "/var/lib/tikti", " data", "./data", "redis:", "/run/"]
            .iter()
            .any(|part| example.contains(part))
        {
            self.restore_stores(example);
        }
        if example.contains("127.0.0.1:9000") && !example.contains("--issue-at") {
            let tenant = self.call("GET", &self.tenant_path(), None).1;
            let tenant = tenant["id"].as_str().unwrap();
            self.service = Some(Server::start("correct", self.dev.text("url"), tenant));
        }
    }

    /// A log with a head of its last event, and one of the first for a checkpoint; signed by another key than
    /// the server's, which signs its first one minutes later.
    fn write_log(&self, exported: &str) {
        let work = self.path("work");
        fs::write(work.join("audit.jsonl"), exported).unwrap();
        let (head, keys) = signed(&self.home, exported.lines().last().unwrap());
        fs::write(work.join("head.jws"), &head).unwrap();
        fs::write(work.join("checkpoint.jws"), &head).unwrap();
        fs::rename(keys, work.join("audit-keys.json")).unwrap();
    }

    fn next_slug(&mut self) -> String {
        self.slugs += 1;
        format!("codecompany-{}", self.slugs)
    }

    fn tenant_path(&self) -> String {
        format!("/v1/tenants/{}", self.slug)
    }

    fn restore_tenant(&mut self) {
        if self.call("GET", &self.tenant_path(), None).0 == 404 {
            if self.is_used {
                self.slug = self.next_slug();
            }
            self.make("/v1/tenants", &json!({ "slug": self.slug }));
            self.sign_in();
        }
        self.is_used = true;
        let tenant = &self.tenant_path();
        self.call("PATCH", tenant, Some(&json!({ "status": "ACTIVE" })));
        let scopes = json!(["jobs:read", "jobs:write"]);
        let client = json!({
            "clientId": "backend-worker", "type": "SERVICE", "allowedScopes": scopes, "subjectPolicy": "any",
        });
        self.make(&format!("{tenant}/clients"), &client);
        self.make(
            &format!("{tenant}/roles"),
            &json!({ "name": "BILLING", "permissions": ["billing:read"] }),
        );
        self.make(
            &format!("{tenant}/workers"),
            &json!({ "id": "worker-01", "clients": ["backend-worker"], "scopes": scopes }),
        );
        // Both may be there and disabled.
        for path in ["clients/backend-worker", "workers/worker-01"] {
            let active = json!({ "status": "ACTIVE" });
            let (status, reply) = self.call("PATCH", &format!("{tenant}/{path}"), Some(&active));
            assert_eq!(status, 200, "{path}: {reply}");
        }
        let ann = json!({ "email": "ann@example.org", "password": "an umbrella in october" });
        self.make("/v1/accounts/signUp", &ann);
        let member = json!({ "email": "ann@example.org", "roles": ["JOBS_OPERATOR"] });
        self.make(&format!("{tenant}/users"), &member);
    }

    /// Makes one thing, which may be there.
    fn make(&self, path: &str, body: &Value) {
        let (status, reply) = self.call("POST", path, Some(body));
        assert!(matches!(status, 200 | 201 | 409), "{path}: {status} {reply}");
    }

    /// Deletes what a `create` or `add` is about to make.
    fn clear_the_way(&self, example: &str) {
        let words = Vec::from_iter(example.split_whitespace());
        match words[..] {
            ["tikti", "role", "create", ..] => self.delete_named(&words, "roles", "roles", "name"),
            ["tikti", "client", "create", ..] => {
                self.delete_named(&words, "clients", "clients", "clientId");
            }
            ["tikti", "worker", "create", ..] => {
                self.delete_named(&words, "workers", "workers", "id");
            }
            ["tikti", "member" | "membership", "add", ..] => self.remove_ann(),
            ["tikti", "user", "create", ..] => {
                self.remove_ann();
                let found = self.call("GET", "/v1/users?email=ann@example.org", None).1;
                if let Some(id) = found["users"][0]["localId"].as_str() {
                    self.delete(&format!("/v1/users/{id}"));
                }
            }
            _ => {}
        }
    }

    fn remove_ann(&self) {
        let members = self.call("GET", &format!("{}/users", self.tenant_path()), None).1;
        let members = members["users"].as_array().unwrap().iter();
        for member in members.filter(|member| member["email"] == "ann@example.org") {
            let id = member["id"].as_str().unwrap();
            self.delete(&format!("{}/users/{id}", self.tenant_path()));
        }
    }

    fn delete_named(&self, words: &[&str], path: &str, list: &str, name: &str) {
        let path = format!("{}/{path}", self.tenant_path());
        let found = self.call("GET", &path, None).1;
        for thing in found[list].as_array().unwrap() {
            let name = thing[name].as_str().unwrap();
            // Behind `tikti client create`.
            if words.iter().skip(3).any(|word| *word == name) {
                self.delete(&format!("{path}/{name}"));
            }
        }
    }

    fn delete(&self, path: &str) {
        let (status, reply) = self.call("DELETE", path, None);
        assert!(matches!(status, 200 | 404), "{path}: {status} {reply}");
    }

    /// The stores of servers that do not run, as they were; a store that is to be written is empty.
    fn restore_stores(&self, example: &str) {
        self.redis.flush_all();
        if example.contains("migrate legacy") {
            let user = r#"{"localId":"u-1"}"#;
            self.old.call(&["HSET", "users", "ann@example.org", user]);
            fs::write(self.path("work/old-url.txt"), self.old.url()).unwrap();
        }
        if example.contains("store status --store redis") {
            let from = self.path("untouched/tikti").display().to_string();
            let to = self.redis.url();
            let filled = self.in_sh(&format!("tikti store copy --from embedded:{from} --to {to}"));
            assert_eq!(filled.code, Some(0), "{filled:?}");
        }
        let is_restored = example.contains("tikti restore");
        for (name, untouched) in [("work/data", "data"), ("var/lib/tikti", "tikti")] {
            let _was_there = fs::remove_dir_all(self.path(name));
            if !is_restored {
                copy(&self.path(&format!("untouched/{untouched}")), &self.path(name));
            }
        }
        let _was_there = fs::remove_file(self.path("work/tikti.backup"));
        if is_restored {
            let sealed = if example.contains("--key-file") { "--key-file backup.key" } else { "" };
            let _was_there = fs::remove_dir_all(self.path("work/old"));
            copy(&self.path("untouched/data"), &self.path("work/old"));
            let store = self.path("var/lib/tikti");
            let of = if example.contains("--config") {
                copy(&self.path("untouched/tikti"), &store);
                format!("--config {}", self.path("etc/tikti/config.yaml").display())
            } else {
                "--data old".to_owned()
            };
            let made = self.in_sh(&format!("tikti backup tikti.backup {of} {sealed}"));
            assert_eq!(made.code, Some(0), "{made:?}");
            let _was_there = fs::remove_dir_all(store);
        }
    }

    /// Runs an example to its end.
    pub(super) fn run(&mut self, example: &str) -> Outcome {
        let mut script = self.standing_in(example);
        if let Some(service) = &self.service {
            script = script.replace("http://127.0.0.1:9000/jobs", &service.url);
        }
        if example.contains("--issue-at") {
            let address = free_address();
            let service = Server::start("correct", &format!("http://{address}"), &self.slug);
            script = script
                .replace("127.0.0.1:9400", &address)
                .replace("http://127.0.0.1:9000/jobs", &service.url);
            self.service = Some(service);
        }
        self.in_sh(&script)
    }

    /// Runs an example that goes on until it is asked to stop.
    pub(super) fn run_and_stop(&mut self, example: &str) -> Outcome {
        let mut script = self.standing_in(example);
        // What it would write into a file is what tells that it is there.
        if let Some((command, _file)) = script.split_once(" > ") {
            script = command.to_owned();
        }
        let is_dev = script.starts_with("tikti dev");
        if is_dev && !script.contains("--listen") {
            let (command, comment) = script.split_once(" #").unwrap_or((&script, ""));
            script = format!("{} --listen 127.0.0.1:0 #{comment}", command.trim_end());
        }
        self.stopped(&script, if is_dev { "other-home" } else { "" })
    }

    /// The example with what stands here for what it names.
    fn standing_in(&mut self, example: &str) -> String {
        let is_made = example.contains("tenant create");
        let slug = if is_made { self.next_slug() } else { self.slug.clone() };
        let signing = self.call("GET", "/v1/.well-known/jwks.json", None).1;
        let kid = signing["keys"][0]["kid"].as_str().unwrap_or("no-key").to_owned();
        let root = |name: &str| self.path(name).display().to_string();
        let mut script = example.to_owned();
        for (named, stands) in [
            ("http://127.0.0.1:8080", self.dev.text("url").to_owned()),
            ("https://api.tikti.io", self.dev.text("url").to_owned()),
            ("redis://127.0.0.1:6666", self.redis.url()),
            // The old data lies in the first database here.
            ("redis://127.0.0.1:6380/2", self.old.url()),
            ("redis://127.0.0.1:6380", self.old.url()),
            ("redis://127.0.0.1:6379", self.redis.url()),
            ("/etc/tikti", root("etc/tikti")),
            ("/var/lib/tikti", root("var/lib/tikti")),
            ("/run/secrets", root("run/secrets")),
            ("codecompany", slug),
            ("tk_...", self.dev.text("apiKey").to_owned()),
            ("tikti-2026-01-7f3k", kid),
        ] {
            script = script.replace(named, &stands);
        }
        script
    }

    fn sh(&self, script: &str) -> Command {
        #[expect(
            clippy::disallowed_methods,
            reason = "what examples call lies where it always does"
        )]
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new("sh");
        command
            .args(["-c", script])
            .current_dir(self.path("work"))
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn in_sh(&self, script: &str) -> Outcome {
        finish(&mut self.sh(script), "")
    }

    /// Runs `script` until its first line, asks it to stop, and gives how it ended.
    fn stopped(&self, script: &str, home: &str) -> Outcome {
        // The shell outlives the signal, and ends as the command does.
        let mut command = self.sh(&format!("trap : INT\n{script}\n"));
        command.env("HOME", self.path(home)).process_group(0);
        // One pipe, since either may say the first word.
        let (reader, writer) = std::io::pipe().unwrap();
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        let mut child = command.spawn().unwrap();
        drop(command);
        let mut told = BufReader::new(reader);
        let mut stdout = String::new();
        while !is_ready(script, &stdout) && told.read_line(&mut stdout).unwrap() > 0 {}
        let group = format!("-{}", child.id());
        let _is_there = Command::new("kill").args(["-INT", "--", &group]).status().unwrap();
        told.read_to_string(&mut stdout).unwrap();
        Outcome { code: child.wait().unwrap().code(), stdout, stderr: String::new() }
    }

    /// Asks the server, as its administrator with its API key.
    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nX-API-Key: {}\r\n\
             Authorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.dev.address(),
            self.dev.text("apiKey"),
            self.id_token,
            body.len()
        );
        let mut stream = TcpStream::connect(self.dev.address()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_default())
    }
}

/// Whether a server has said that it is there, or what follows a log has shown an event.
fn is_ready(script: &str, told: &str) -> bool {
    let signs = ["\"url\":", "\"serving\"", "Ctrl-C"];
    let is_server = !script.contains("--follow");
    if is_server { signs.iter().any(|sign| told.contains(sign)) } else { !told.is_empty() }
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(copied.success(), "{}", from.display());
}
