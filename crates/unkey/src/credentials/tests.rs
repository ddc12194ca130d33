use super::*;

const KEY: &str = "unkey_root_canary0123456789";

fn file(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("root-key");
    std::fs::write(&path, content).unwrap();
    (dir, path)
}

fn name(error: &CredentialError) -> &'static str {
    match error {
        CredentialError::Missing { .. } => "missing",
        CredentialError::NotReadable { .. } => "not readable",
        CredentialError::NotAFile { .. } => "not a file",
        CredentialError::LooksLike { .. } => "looks like",
        CredentialError::Empty { .. } => "empty",
        CredentialError::TooLarge { .. } => "too large",
        CredentialError::NotUtf8 { .. } => "not utf-8",
        CredentialError::Malformed { .. } => "malformed",
    }
}

#[test]
fn every_bad_file_has_its_own_name_and_shows_nothing_of_its_content() {
    let spaced = format!("Bearer {KEY}");
    let large = KEY.repeat(4096);
    for (content, expected) in [
        (&b""[..], "empty"),
        (b" \r\n\t", "empty"),
        (spaced.as_bytes(), "looks like"),
        (b"unkey_root_canary\n0123456789", "looks like"),
        (b"unkey_root_canary\x000123456789", "malformed"),
        ("unkey_root_canary\u{e9}".as_bytes(), "malformed"),
        ("\u{feff}unkey_root_canary".as_bytes(), "looks like"),
        (b"unkey_root_canary\xff", "not utf-8"),
        (large.as_bytes(), "too large"),
    ] {
        let (_dir, path) = file(content);
        let error = Credentials::from_file(&path).check().unwrap_err();
        assert_eq!(name(&error), expected);
        assert!(error.to_string().contains("root-key"), "{error}");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    }
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(name(&Credentials::from_file(dir.path().join("absent")).check().unwrap_err()), "missing");
}

/// None of them may be waited for: a named pipe has no end before it has a writer.
#[cfg(unix)]
#[test]
fn what_is_no_file_says_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (pipe, socket) = (dir.path().join("pipe"), dir.path().join("socket"));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let _listens = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(dir.path(), &link).unwrap();
    for (path, what) in [
        (dir.path(), "a directory"),
        (&link, "a directory"),
        (&pipe, "a named pipe"),
        (&socket, "a socket"),
        (Path::new("/dev/null"), "a device"),
    ] {
        let said = Credentials::from_file(path).check().unwrap_err().to_string();
        assert_eq!(said, format!("no root key: {} is {what}; name a file that contains the key", path.display()));
    }
}

#[test]
fn utf_16_is_named() {
    let (_dir, path) = file(&[0xff, 0xfe, b'u', 0]);
    let said = Credentials::from_file(&path).check().unwrap_err().to_string();
    assert!(said.ends_with("is not UTF-8 text but UTF-16; save it as UTF-8"), "{said}");
}

#[test]
fn another_fault_is_a_change_even_if_it_is_of_the_same_kind() {
    let (_dir, path) = file(b"\"unkey_root_canary\"");
    let credentials = Credentials::from_file(&path);
    credentials.check().unwrap_err();
    let mut changes = credentials.subscribe();
    for content in ["ROOT_KEY=unkey_root_canary", "", "\u{feff}unkey"] {
        std::fs::write(&path, content).unwrap();
        credentials.check().unwrap_err();
        assert!(changes.has_changed().unwrap(), "{content}");
        changes.mark_unchanged();
    }
}

#[test]
fn surrounding_white_space_makes_no_other_credential() {
    let mark = |content: &str| RootKey::parse(content, "test").unwrap().mark("https://api.unkey.com");
    assert_eq!(mark(KEY), mark(&format!("  {KEY}\r\n")));
    // printf 'https://api.unkey.com\0unkey_root_canary0123456789' | sha256sum
    assert_eq!(mark(KEY), "8d0359265e00");
    assert_ne!(mark(KEY), RootKey::parse(KEY, "test").unwrap().mark("https://other.example"));
}

#[test]
fn a_value_is_checked_at_once_and_never_shown() {
    assert_eq!(name(&Credentials::from_value(&SecretString::from("  ")).unwrap_err()), "empty");
    let credentials = Credentials::from_value(&SecretString::from(KEY)).unwrap();
    assert!(credentials.check().is_ok());
    assert!(!format!("{credentials:?}").contains(KEY));
    assert!(!format!("{:?}", credentials.key().unwrap().header()).contains(KEY));
}

#[test]
fn a_change_is_noticed_once() {
    let (_dir, path) = file(KEY.as_bytes());
    let credentials = Credentials::from_file(&path);
    credentials.check().unwrap();
    let mut changes = credentials.subscribe();
    credentials.check().unwrap();
    assert!(!changes.has_changed().unwrap(), "the same key is no change");

    // Same length, and as fast as the file system can: the time stamp may not move.
    std::fs::write(&path, KEY.to_uppercase()).unwrap();
    credentials.check().unwrap();
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();

    std::fs::remove_file(&path).unwrap();
    credentials.check().unwrap_err();
    credentials.check().unwrap_err();
    assert!(changes.has_changed().unwrap(), "losing the key is a change");
    changes.mark_unchanged();
    credentials.check().unwrap_err();
    assert!(!changes.has_changed().unwrap(), "still no key is none");
}

#[cfg(unix)]
#[tokio::test]
async fn a_mounted_secret_swaps_a_symbolic_link_and_the_watch_sees_it() {
    let (dir, path) = file(KEY.as_bytes());
    let link = dir.path().join("current");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let credentials = Credentials::from_file(&link);
    credentials.check().unwrap();
    let mut changes = credentials.subscribe();

    let next = dir.path().join("next");
    std::fs::write(&next, "unkey_root_other").unwrap();
    std::os::unix::fs::symlink(&next, dir.path().join("swap")).unwrap();
    std::fs::rename(dir.path().join("swap"), &link).unwrap();
    tokio::select! {
        () = credentials.watch(Duration::from_millis(5)) => unreachable!("the watch does not end"),
        seen = tokio::time::timeout(Duration::from_secs(10), changes.changed()) => seen.unwrap().unwrap(),
    }
}
