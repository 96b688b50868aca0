//! Opening: each mistake has a sentence of its own that names the setting, and none repeats a password.

use std::fs;
use std::time::Duration;

use obol_store::ChangeLog;
use obol_store_postgres::{OpenError, OptionsError, PostgresOptions, PostgresStore};
use obol_testkit::Postgres;
use obol_token::Position;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

async fn refusal(options: &PostgresOptions) -> OpenError {
    let refused = PostgresStore::migrate(options).await.unwrap_err();
    let sentence = refused.to_string();
    assert!(sentence.contains("--database-"), "it names no setting: {sentence}");
    assert!(!sentence.contains("hunter2") && !sentence.contains(Postgres::GUARDED_PASSWORD), "{sentence}");
    assert_eq!(PostgresStore::open(options).await.err(), Some(refused.clone()));
    refused
}

fn guarded(server: &Postgres) -> String {
    let database = server.database();
    let name = database.rsplit('/').next().unwrap();
    server.sql("postgres", &format!("ALTER DATABASE {name} OWNER TO {}", Postgres::GUARDED));
    database.replace(Postgres::OWNER, Postgres::GUARDED)
}

#[tokio::test]
async fn a_text_that_is_no_url_of_postgresql_is_said() {
    let texts = [
        "",
        "mysql://root:hunter2@localhost/db",
        "postgres://user:hunter2@localhost:port/db",
        "postgres://user:pass?word=hunter2@localhost/db",
        "postgres://user:hunter2@localhost/db?no_such_option=hunter2",
        "postgres:///db",
    ];
    for text in texts {
        let refused = refusal(&PostgresOptions::new(text)).await;
        assert!(matches!(refused, OpenError::Options(OptionsError::Url(_))), "{text}: {refused:?}");
    }
}

#[tokio::test]
async fn parameters_that_would_weaken_the_promise_are_refused() {
    let with = |parameters: &str| PostgresOptions::new(&format!("postgres://obol@localhost/db?{parameters}"));
    for parameters in ["sslmode=sometimes", "target_session_attrs=read-only"] {
        let refused = refusal(&with(parameters)).await;
        assert!(matches!(refused, OpenError::Options(OptionsError::Parameter { .. })), "{refused:?}");
    }
    for mode in ["verify-ca", "verify-full"] {
        let refused = refusal(&with(&format!("sslmode={mode}"))).await;
        assert_eq!(refused, OpenError::Options(OptionsError::NoRootCertificates(mode)));
    }
    let refused = refusal(&with("sslmode=verify-full&sslrootcert=/no/such/file")).await;
    assert!(
        matches!(
            refused,
            OpenError::Options(OptionsError::File { setting: "sslrootcert in --database-url", .. })
        ),
        "{refused:?}"
    );
}

#[test]
fn options_do_not_print_passwords() {
    let options = PostgresOptions::new("postgres://user:hunter2@localhost/db");
    assert!(!format!("{options:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for host in
        [format!("127.0.0.1:{free}"), "no-such-host.invalid".to_owned(), "%2Fno%2Fsuch%2Ffolder".to_owned()]
    {
        let refused = refusal(&PostgresOptions::new(&format!("postgres://obol@{host}/db"))).await;
        assert!(matches!(refused, OpenError::Unreachable { .. }), "{host}: {refused:?}");
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_said() {
    let server = Postgres::shared();
    let refused = refusal(&PostgresOptions::new(&server.url("nowhere"))).await;
    assert_eq!(refused, OpenError::NoDatabase { database: "nowhere".to_owned() });
}

#[tokio::test]
async fn a_user_who_is_not_there_is_said() {
    let server = Postgres::shared();
    let url = server.database().replace(Postgres::OWNER, "stranger");
    let refused = refusal(&PostgresOptions::new(&url)).await;
    assert!(matches!(&refused, OpenError::NotAllowed { user, .. } if user == "stranger"), "{refused:?}");
}

#[tokio::test]
async fn a_wrong_password_is_said_and_the_right_one_may_come_from_a_file() {
    let server = Postgres::shared();
    let url = guarded(&server);
    let wrong = OpenError::WrongPassword { user: Postgres::GUARDED.to_owned() };
    assert_eq!(refusal(&PostgresOptions::new(&url)).await, wrong, "none");
    let with_wrong = url.replace("guarded@", "guarded:hunter2@");
    assert_eq!(refusal(&PostgresOptions::new(&with_wrong)).await, wrong);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    let from_file =
        PostgresOptions { password_file: Some(file.clone()), ..PostgresOptions::new(&with_wrong) };
    let missing = refusal(&from_file).await;
    let setting = "--database-password-file";
    assert!(matches!(missing, OpenError::Options(OptionsError::File { setting: s, .. }) if s == setting));
    fs::write(&file, "hunter2\n").unwrap();
    assert_eq!(refusal(&from_file).await, wrong);
    fs::write(&file, format!("{}\n", Postgres::GUARDED_PASSWORD)).unwrap();
    PostgresStore::migrate(&from_file).await.unwrap();

    let user_file = folder.path().join("user");
    fs::write(&user_file, "guarded\n").unwrap();
    let by_files = PostgresOptions { user_file: Some(user_file), ..from_file };
    let by_files = PostgresOptions { url: url.replace("guarded@", "stranger@"), ..by_files };
    let store = PostgresStore::open(&by_files).await.unwrap();
    assert_eq!(store.read_after(Position::START, 1).await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_user_without_the_right_to_make_tables_is_said() {
    let server = Postgres::shared();
    let url = server.database();
    server.sql(url.rsplit('/').next().unwrap(), "DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN");
    let refused = PostgresStore::migrate(&PostgresOptions::new(&url.replace(Postgres::OWNER, "guest"))).await;
    let refused = refused.unwrap_err();
    assert!(matches!(refused, OpenError::NoRight(_)), "{refused:?}");
    assert!(refused.to_string().contains("--database-url"));
}

#[tokio::test]
async fn tls_is_spoken_and_the_server_checked_as_far_as_is_asked_for() {
    let authority = || {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (ours, other) = (authority(), authority());
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &ours).unwrap();
    let server =
        Postgres::builder().setting("fsync", "off").tls(&certificate.pem(), &key.serialize_pem()).start();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, pem: String| {
        let path = folder.path().join(name);
        fs::write(&path, pem).unwrap();
        path.display().to_string()
    };
    let (ours, other) = (file("ours.pem", ours.pem()), file("other.pem", other.pem()));
    let by_address = server.database();
    let by_name = by_address.replace("127.0.0.1", "localhost");
    let cases = [
        (&by_address, "sslmode=disable".to_owned(), Some(false)),
        (&by_address, "sslmode=prefer".to_owned(), Some(true)),
        (&by_address, "sslmode=require".to_owned(), Some(true)),
        (&by_address, format!("sslmode=require&sslrootcert={other}"), None),
        (&by_address, format!("sslmode=verify-ca&sslrootcert={ours}"), Some(true)),
        (&by_address, format!("sslmode=verify-ca&sslrootcert={other}"), None),
        (&by_address, format!("sslmode=verify-full&sslrootcert={ours}"), None),
        (&by_name, format!("sslmode=verify-full&sslrootcert={ours}"), Some(true)),
        (&by_name, format!("sslmode=verify-full&sslrootcert={other}"), None),
    ];
    for (url, parameters, expected) in cases {
        let options = PostgresOptions::new(&format!("{url}?{parameters}"));
        match (PostgresStore::migrate(&options).await, expected) {
            (Ok(()), Some(encrypted)) => {
                let _store = PostgresStore::open(&options).await.unwrap();
                let sessions = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE application_name = 'obol' AND state IS NOT NULL";
                let found = server.sql("postgres", sessions);
                assert_eq!(found, if encrypted { "t" } else { "f" }, "{parameters}");
            }
            (Err(error), None) => assert!(matches!(error, OpenError::Tls { .. }), "{parameters}: {error:?}"),
            (found, expected) => panic!("{parameters}: {found:?} instead of {expected:?}"),
        }
    }
}

#[tokio::test]
async fn a_unix_socket_will_do() {
    let server = Postgres::shared();
    let url = server.database();
    let options = PostgresOptions::new(&server.socket_url(url.rsplit('/').next().unwrap()));
    PostgresStore::migrate(&options).await.unwrap();
    let store = PostgresStore::open(&options).await.unwrap();
    assert_eq!(store.read_after(Position::START, 1).await, Ok(Vec::new()));
    assert!(store.shown().starts_with('/'), "{}", store.shown());
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_asked_for() {
    let server = Postgres::shared();
    let refused = refusal(&PostgresOptions::new(&format!("{}?sslmode=require", server.database()))).await;
    assert!(matches!(refused, OpenError::Tls { .. }), "{refused:?}");
}

#[tokio::test]
async fn what_acknowledgements_are_worth_is_said() {
    let server = Postgres::start();
    let options = PostgresOptions::new(&server.database());
    PostgresStore::migrate(&options).await.unwrap();
    let store = PostgresStore::open(&options).await.unwrap();
    let sound = store.durability().await.unwrap();
    assert!(sound.failings().is_empty(), "{sound:?}");
    let _standby = server.standby("one");
    let asynchronous = store.durability().await.unwrap();
    assert!(!asynchronous.failings().is_empty(), "{asynchronous:?}");
    server.wait_for_standby("one");
    assert!(store.durability().await.unwrap().failings().is_empty());
    for setting in ["fsync", "full_page_writes"] {
        server.sql("postgres", &format!("ALTER SYSTEM SET {setting} = off"));
        server.sql("postgres", "SELECT pg_reload_conf()");
        // Each connection of the server reads its settings anew when it is told so, not when another has.
        let said = async {
            while !store.durability().await.unwrap().failings().iter().any(|said| said.starts_with(setting)) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), said).await.expect(setting);
        server.sql("postgres", &format!("ALTER SYSTEM RESET {setting}"));
    }
}
