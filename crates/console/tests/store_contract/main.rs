//! What a store promises, kept by each database: every test here runs on SQLite and on PostgreSQL.
//!
//! Those of PostgreSQL want a server to make databases on, which `scripts/postgres.sh` starts:
//! `scripts/postgres.sh cargo nextest run -p thalweg-console`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod accounts;
mod backups;
mod deliveries;
mod home;
mod measure;
mod people;
mod publications;
mod rest;
mod statistics;
mod values;

macro_rules! contract {
    (both { $($room:ident::$name:ident,)* } postgres { $($also:ident::$test:ident,)* }) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                crate::$room::$name(crate::home::Home::sqlite(stringify!($name))).await;
            })*
        }

        /// Left out by `scripts/peers.sh` where PostgreSQL is not installed.
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                crate::$room::$name(crate::home::Home::postgres(stringify!($name)).await).await;
            })*
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                crate::$also::$test(crate::home::Home::postgres(stringify!($test)).await).await;
            })*
        }
    };
}

contract! {
  both {
    accounts::what_was_written_is_read,
    accounts::the_default_one_is_first_and_numbers_are_in_order,
    accounts::whoever_has_not_seen_a_change_does_not_undo_it,
    accounts::of_twenty_changes_at_once_one_is_made,
    accounts::what_belongs_to_an_account_goes_with_it,
    accounts::the_first_accounts_are_all_there_or_none,
    accounts::one_that_cannot_be_read_leaves_the_others_in_the_list,
    accounts::urls_that_an_older_program_left_in_the_clear_are_encrypted,
    people::users_are_written_changed_and_removed,
    people::of_twenty_first_users_one_is_made,
    people::sessions_end,
    people::tokens_are_found_by_their_hash,
    publications::a_publication_and_its_delivery_are_both_there_or_neither,
    publications::an_end_is_told_once,
    publications::lists_are_newest_first_and_have_pages,
    publications::streams_are_forbidden_for_a_while,
    deliveries::each_account_waits_for_its_oldest,
    deliveries::a_line_has_an_end,
    deliveries::lists_are_of_an_account_and_a_state,
    deliveries::numbers_are_in_order_however_many_write,
    deliveries::one_that_cannot_be_decrypted_is_given_up_and_the_others_go_on,
    publications::one_that_cannot_be_decrypted_leaves_the_others_in_the_list,
    statistics::minutes_add_up,
    statistics::points_are_of_a_stream_an_account_or_all,
    statistics::gaps_are_seen,
    statistics::a_thousand_streams_fit_in_a_batch,
    rest::audit_rows_are_newest_first,
    rest::settings_are_kept,
    rest::a_store_is_for_one_server_at_a_time,
    rest::what_is_old_is_forgotten,
    rest::much_that_is_old_is_forgotten_to_the_last_row,
    rest::whoever_opens_it_again_finds_all,
    rest::strange_text_comes_back,
    backups::a_backup_brings_everything_back,
    backups::what_is_there_is_not_overwritten_unasked,
    backups::a_key_that_was_there_is_kept,
    backups::a_backup_that_was_changed_or_cut_restores_nothing,
    backups::a_new_key_encrypts_everything_and_the_old_one_nothing,
    backups::a_backup_is_of_one_moment_while_others_write,
  }
  postgres {
    backups::a_backup_moves_from_one_database_to_the_other_and_back,
  }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, and minutes long"]
async fn measure_on_sqlite() {
    measure::measure_lists(home::Home::sqlite("measure")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, and minutes long"]
async fn measure_on_postgres() {
    measure::measure_lists(home::Home::postgres("measure").await).await;
}
