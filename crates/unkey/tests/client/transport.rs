//! No answer, or not the whole of one.

use std::time::{Duration, Instant};

use unkey::{Class, Effect, Error, Fault, Operation, Unreached};
use unkey_text::transport::TlsFault;

use crate::server::{Server, ok};
use crate::support::{PATIENT, SHORT, assert_lost, call, client, failures};

const JSON_HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";

fn assert_not_sent(error: &Error, causes: &[Unreached]) {
    assert_eq!((error.class(), error.effect()), (Class::Transient, Effect::NotSent), "{error:?}");
    let Fault::Unreachable { cause, .. } = error.fault() else { panic!("{error:?}") };
    assert!(causes.contains(cause), "{error:?}");
}

#[tokio::test]
async fn refused_connection_is_not_sent() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for error in failures(&client(&format!("http://127.0.0.1:{port}"), PATIENT)).await {
        assert_not_sent(&error, &[Unreached::Connect]);
    }
}

#[tokio::test]
async fn name_without_address_is_not_sent() {
    for error in failures(&client("http://nonexistent.invalid", PATIENT)).await {
        // Where no resolver answers at all, it may be the time for connecting that ends first.
        assert_not_sent(&error, &[Unreached::Dns, Unreached::Timeout]);
    }
}

#[tokio::test]
async fn server_without_tls_is_not_sent() {
    let plain = Server::start(|mut connection, _| async move {
        connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        connection.stall().await;
    })
    .await;
    for error in failures(&client(&plain.url().replace("http:", "https:"), PATIENT)).await {
        assert_eq!((error.class(), error.effect()), (Class::Misconfigured, Effect::NotSent), "{error:?}");
        assert!(
            matches!(error.fault(), Fault::Unreachable { cause: Unreached::Tls(TlsFault::NotTls), .. }),
            "{error:?}"
        );
    }
    let silent = Server::start(|connection, _| connection.stall()).await;
    let silent_url = silent.url().replace("http:", "https:");
    for error in failures(&client(&silent_url, SHORT)).await {
        assert_not_sent(&error, &[Unreached::Timeout]);
    }
}

#[tokio::test]
async fn reset_before_the_request_is_read_is_unknown() {
    let server = Server::start(|connection, _| connection.reset()).await;
    for error in failures(&client(&server.url(), PATIENT)).await {
        assert_lost(&error);
        assert!(matches!(error.fault(), Fault::Interrupted(_)), "{error:?}");
    }
    assert_eq!(server.connections(), Operation::ALL.len(), "nothing is sent twice");
}

#[tokio::test]
async fn close_after_the_request_is_unknown_and_not_repeated() {
    let server = Server::saying("").await;
    for error in failures(&client(&server.url(), PATIENT)).await {
        assert_lost(&error);
    }
    assert_eq!(server.requests().len(), Operation::ALL.len());
}

/// The case in which HTTP clients like to send again by themselves: a kept connection that ends under the request.
#[tokio::test]
async fn kept_connection_that_closes_under_a_request_is_unknown_and_not_repeated() {
    let server = Server::start(|mut connection, _| async move {
        connection.request().await;
        connection.send(ok(r#"{"meta":{"requestId":"req_1"}}"#).as_bytes()).await;
        connection.request().await;
    })
    .await;
    let client = client(&server.url(), PATIENT);
    client.delete("id_1").await.unwrap();
    assert_lost(&client.delete("id_1").await.unwrap_err());
    assert_eq!((server.connections(), server.requests().len()), (1, 2));
}

#[tokio::test]
async fn close_within_head_or_body_is_unknown() {
    for answer in [
        "HTTP/1.1 200 O".to_owned(),
        format!("{JSON_HEAD}Content-Le"),
        format!("{JSON_HEAD}Content-Length: 100\r\n\r\n{{\"meta\":{{\"requestId\":\"r\"}}}}"),
        format!("{JSON_HEAD}Transfer-Encoding: chunked\r\n\r\n1e\r\n{{\"meta\":{{\"requestId\":\"r\"}}}}"),
        format!("{JSON_HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        "garbage\r\n\r\n".to_owned(),
        // Refusals that were not read to the end prove nothing.
        "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{".to_owned(),
    ] {
        let server = Server::saying(answer.clone()).await;
        for error in failures(&client(&server.url(), PATIENT)).await {
            assert_lost(&error);
            assert!(matches!(error.fault(), Fault::Interrupted(_)), "{answer}: {error:?}");
        }
    }
}

fn assert_deadline(errors: &[Error]) {
    for error in errors {
        assert_lost(error);
        assert!(matches!(error.fault(), Fault::Deadline(after) if *after == SHORT), "{error:?}");
    }
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let server = Server::start(|mut connection, _| async move {
        connection.request().await;
        connection.stall().await;
    })
    .await;
    let begun = Instant::now();
    assert_deadline(&failures(&client(&server.url(), SHORT)).await);
    assert!(begun.elapsed() >= SHORT);
}

/// By the default deadline: what a connection that idled for as long as it may, and is dead, costs at most.
#[tokio::test]
async fn a_silent_connection_is_given_up_before_a_long_deadline() {
    let server = Server::start(|mut connection, number| async move {
        while connection.request().await.is_some() {
            connection.send(ok(r#"{"meta":{"requestId":"req_1"}}"#).as_bytes()).await;
            if number == 0 {
                connection.request().await;
                return connection.stall().await;
            }
        }
    })
    .await;
    let client = client(&server.url(), Duration::from_secs(30));
    client.delete("id_1").await.unwrap();
    let error = client.delete("id_1").await.unwrap_err();
    assert_lost(&error);
    assert!(matches!(error.fault(), Fault::Silent(after) if after.as_secs() == 20), "{error:?}");
    client.delete("id_1").await.unwrap();
    assert_eq!((server.connections(), server.requests().len()), (2, 3));
}

#[tokio::test]
async fn drops_of_head_or_body_do_not_extend_the_deadline() {
    for drip in ["X: y\r\n".to_owned(), " ".to_owned()] {
        let server = Server::start(move |mut connection, _| {
            let drip = drip.clone();
            async move {
                connection.request().await;
                connection.send(JSON_HEAD.as_bytes()).await;
                if drip == " " {
                    connection.send(b"Content-Length: 1000\r\n\r\n").await;
                }
                let mut beat = tokio::time::interval(SHORT / 10);
                while connection.send(drip.as_bytes()).await {
                    beat.tick().await;
                }
            }
        })
        .await;
        assert_deadline(&failures(&client(&server.url(), SHORT)).await);
    }
}

/// Sends `chunk` until the client has had enough, or 100 MB are out.
async fn flood(head: &'static str, chunk: Vec<u8>) -> (Server, tokio::sync::mpsc::UnboundedReceiver<usize>) {
    let (sent, received) = tokio::sync::mpsc::unbounded_channel();
    let server = Server::start(move |mut connection, _| {
        let (chunk, sent) = (chunk.clone(), sent.clone());
        async move {
            connection.request().await;
            connection.send(format!("{JSON_HEAD}{head}\r\n\r\n").as_bytes()).await;
            let mut total = 0;
            while total < 100_000_000 && connection.send(&chunk).await {
                total += chunk.len();
            }
            sent.send(total).unwrap();
        }
    })
    .await;
    (server, received)
}

#[tokio::test]
async fn a_body_over_the_cap_is_not_read_to_its_end() {
    let spaces = vec![b' '; 64 << 10];
    let chunk = [format!("{:x}\r\n", spaces.len()).as_bytes(), &spaces, b"\r\n"].concat();
    for (head, chunk) in [("Content-Length: 100000000", spaces), ("Transfer-Encoding: chunked", chunk)] {
        for (operation, cap) in [(Operation::Create, 4 << 20), (Operation::List, 16 << 20)] {
            let (server, mut sent) = flood(head, chunk.clone()).await;
            let error = call(&client(&server.url(), PATIENT), operation).await.unwrap_err();
            assert_lost(&error);
            assert!(matches!(error.fault(), Fault::TooLarge { limit } if *limit == cap), "{error:?}");
            assert!(error.may_be_too_much());
            let sent = sent.recv().await.unwrap();
            assert!((cap..100_000_000).contains(&sent), "{sent} bytes went out");
        }
    }
}

#[tokio::test]
async fn a_dropped_call_closes_its_connection() {
    let (ended, end) = tokio::sync::oneshot::channel();
    let ended = std::sync::Mutex::new(Some(ended));
    let server = Server::start(move |mut connection, _| {
        let ended = ended.lock().unwrap().take();
        async move {
            connection.request().await;
            assert_eq!(connection.request().await, None);
            ended.unwrap().send(()).unwrap();
        }
    })
    .await;
    let client = client(&server.url(), PATIENT);
    {
        let call = client.delete("id_1");
        let arrived = async {
            while server.requests().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            outcome = call => panic!("{outcome:?}"),
            () = arrived => {}
        }
    }
    tokio::time::timeout(PATIENT, end).await.unwrap().unwrap();
}
