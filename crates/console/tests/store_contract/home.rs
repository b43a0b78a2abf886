//! A store of a test's own, and where it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::Connection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use thalweg_console::store::{self, Place, Store};
use thalweg_testkit::folder::Folder;

/// Tells apart what tests of one program make.
fn number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

pub(crate) struct Home {
    pub(crate) folder: Folder,
    pub(crate) place: Place,
}

impl Home {
    pub(crate) fn sqlite(name: &str) -> Home {
        let folder = Folder::new(&format!("store-{}-{name}", number()));
        let place = Place::folder(folder.path().join("data"));
        Home { folder, place }
    }

    /// A database of its own on the server that was started for the tests.
    pub(crate) async fn postgres(name: &str) -> Home {
        let server = std::env::var("THALWEG_TEST_POSTGRES").expect(
            "THALWEG_TEST_POSTGRES is the URL of a PostgreSQL server to make databases on: start \
             one with scripts/postgres.sh COMMAND",
        );
        // The server cuts names at 63 characters.
        let database = format!("t{}_{}_{name:.30}", std::process::id(), number());
        let mut connection = PgConnection::connect(&server).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {database}")))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        let (server, _) = server.rsplit_once('/').unwrap();
        let url = Some(format!("{server}/{database}"));
        let home = Home::sqlite(name);
        Home { place: Place { url, ..home.place }, ..home }
    }

    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        store::open(&self.place).await.unwrap()
    }

    /// Does something to the database behind the store's back.
    pub(crate) async fn tamper(&self, sql: &'static str) {
        match &self.place.url {
            Some(url) => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            }
            None => {
                let file = self.place.data_dir.join("thalweg.db");
                let url = format!("sqlite://{}", file.display());
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            }
        }
    }

    /// Another place of the same kind, with nothing in it.
    pub(crate) async fn twin(&self, name: &str) -> Home {
        if self.place.url.is_some() { Home::postgres(name).await } else { Home::sqlite(name) }
    }
}
