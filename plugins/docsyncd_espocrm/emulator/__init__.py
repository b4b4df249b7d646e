"""EspoCRM, emulated down to its surprises. One line per quirk: what it does (source; the test that shows it).

Numbers are sections of the EspoCRM reference, "profile" is the installation profile, both in the design notes of the project.

Authentication

* A 401 is empty and `text/html` (2; test_a_401_is_empty_and_says_text_html)
* Only a 401 to a request without credentials, and not to a POST, asks for Basic (2; test_only_a_401_without_credentials_asks_for_them_and_not_for_a_post)
* Eleven denials in 60 s lock out everybody at that address, good keys included, with a bare 403 (2; test_the_eleventh_denial_locks_out_good_keys_until_a_minute_has_passed)
* HMAC covers the method and the path without base and query; hex or raw digest (2; test_hmac_covers_the_method_and_the_bare_path)
* An API key wins over Authorization and loses to Espo-Authorization (2; test_an_api_key_wins_over_basic_and_loses_to_espo_authorization)
* A person's token serves as password; an API user has none (2; test_a_person_gets_a_token_that_serves_as_password)
* A role's Webhook scope is a boolean, a map of levels is refused (1.6; test_a_role_switches_webhooks_on_with_a_boolean_only)

Records

* A creation answers 200 and leaves nulls out (3.2; test_a_creation_answers_200_and_leaves_nulls_out)
* A Document needs a publishDate, which only the browser fills in (3.2; test_a_document_needs_a_name_a_file_and_a_publish_date)
* No duplicate check: a repeated POST is a second record (3.2; test_posting_twice_makes_two_records)
* JSON is ASCII with escaped slashes, chunked, without charset (3; test_json_is_ascii_with_escaped_slashes_and_comes_in_chunks)
* A 404 has its reason in X-Status-Reason and no body (3.2; test_a_missing_record_is_a_404_with_the_reason_in_a_header_and_no_body)
* A deleted record is a 404 for an API user and a 200 for an administrator (3.2; test_a_deleted_record_is_gone_for_us_and_visible_to_an_administrator)
* A restored record is back with its old modifiedAt (0.8; test_a_restored_record_is_back_without_a_stamp)
* PUT is PATCH (3.2; test_put_is_partial_as_patch_is)
* Unknown attributes are ignored with 200, system attributes dropped (3.2; test_unknown_attributes_are_ignored_and_system_ones_dropped)
* A PUT of equal values stamps nothing (1.1, 3.4; test_a_put_of_equal_values_stamps_nothing)
* Bookkeeping stamps modifiedAt and modifiedBy like any edit (3.4; test_our_own_bookkeeping_moves_modified_at_and_modified_by)
* Values are coerced: 12.7 becomes 12, blanks are trimmed, an empty text becomes null (3.2, 3.3; test_values_are_coerced)
* An empty date-time, one with fractions and a bare date are refused (3.3; test_values_are_refused)
* The answer to a PUT echoes values as sent (3.2; test_a_put_answers_a_date_time_as_it_was_sent)
* Malformed JSON is a 500 without a body (3.2; test_malformed_json_is_a_500_without_a_word)
* A 405 is JSON, and OPTIONS is that text with 200 (3.2; test_a_wrong_method_is_a_405_in_json_and_options_repeats_it_with_200)
* A stale version is a 409 only if this PUT changes something; the body holds the current values of its fields (3.4; test_a_stale_version_is_refused_when_the_put_changes_something)
* Whether stale writers of different attributes pass is a switch: reference and source disagree (3.4; test_stale_writers_of_different_attributes_pass_only_where_the_switch_says_so)
* Versions are not compared without header, switch or number, and even a no-op PUT counts (3.4; test_without_the_header_or_the_switch_no_version_is_compared)
* Metadata answers null with 200 for what is absent or out of scope (6; test_metadata_answers_at_any_depth_and_null_for_what_is_absent)
* X-App-Timestamp moves with a rebuild (3, 6; test_the_app_timestamp_moves_with_the_metadata)

Lists

* More than 200 at once is a 403, 200 is the default (3.1; test_more_than_200_at_once_is_forbidden_and_200_is_the_default)
* maxSize=0 counts and lists nothing (3.1; test_a_page_of_nothing_still_counts)
* An uncounted total is -1 for more, -2 for no more (3.1; test_without_counting_the_total_only_says_whether_there_is_more)
* select=id brings createdAt, createdById and assignedUserId; unknown names are ignored (3.1; test_selecting_only_the_id_brings_three_more)
* Unknown names in where and orderBy are a 400 (3.1; test_unknown_names_in_where_and_order_are_refused_with_a_reason)
* PHP's brackets and searchParams say the same (3.1; test_the_php_spelling_says_the_same_as_search_params)
* Text filters ignore case, as MariaDB's collation does; not in the reference, so the stricter client is the safe one (test_where_finds)
* linkedWith needs no field (3.1; test_linked_with_works_on_a_plain_many_to_many_link)
* Deletions are invisible to a poll (3.1; test_deletions_are_invisible_to_a_poll)

Links

* A DELETE carries the id in its body; linking twice is fine (3.6; test_linking_is_idempotent_and_unlinking_takes_the_id_in_the_body)
* A link without an id is 200 `false` (3.6; test_a_link_without_an_id_answers_false_and_creates_nothing)
* Linking moves no stamp and tells nobody (0.8, 1.1; test_linking_moves_no_stamp_and_tells_nobody)
* A deleted case file hides the link (3.6; test_deleting_a_case_file_hides_the_link)
* Link ids link on creation and silently not in a PUT (3.6; test_link_ids_link_on_creation_and_silently_not_in_a_put)
* With a link-multiple field they are shown and a PUT links (3.6; test_with_a_link_multiple_field_the_ids_are_shown_and_a_put_links)
* Linking needs edit rights on both sides (3.6; test_linking_needs_edit_rights_on_both_sides)

Attachments

* What stands before the first comma is ignored, garbage becomes an empty file (4.1; test_everything_before_the_first_comma_is_ignored_and_garbage_gives_an_empty_file)
* Only the declared size is limited, and it is not believed otherwise (4.1; test_only_the_declared_size_is_limited)
* The accept list looks at the extension, not at the content (4.1; test_files_are_accepted_by_extension_in_any_case_and_not_by_content)
* Images are checked three ways, TIFF is refused (4.1; test_extension_type_and_content_of_an_image_must_agree)
* Names are kept as given (4.1; test_names_are_kept_as_given_but_for_the_blanks_around_them)
* A name with a newline never downloads (0.12, 4.1; test_a_name_with_a_newline_is_stored_and_never_downloads)
* Chunks are appended as they arrive, a finished upload takes no more (4.2; test_chunks_are_appended_as_they_arrive)
* A repeated chunk is appended and then complained about (4.2; test_a_repeated_chunk_breaks_the_upload_after_it_was_appended)
* An unfinished upload downloads cut off with a matching length (0.11, 4.2; test_a_file_that_is_still_being_uploaded_downloads_cut_off_with_a_matching_length)
* No Range, no ETag, HEAD has length 0 (4.3; test_a_download_knows_no_range_no_etag_and_no_head)
* The file name goes out as raw UTF-8, quotes unescaped (4.3; test_the_file_name_goes_out_raw_and_quotes_are_not_escaped)
* A file without a type is application/json (4.3; test_a_file_without_a_type_downloads_as_json_and_an_empty_one_as_nothing)
* The replaced file is gone at once, bytes included (4.4; test_the_replaced_file_is_gone_at_once_with_its_bytes)
* A shared file belongs to the last record and goes for all (4.4; test_a_shared_file_belongs_to_the_last_and_goes_for_both)
* A copy keeps its bytes (4.4; test_a_copy_keeps_its_bytes_when_the_original_goes)
* An attachment deleted under a document leaves an id without a name (4.4; test_an_attachment_deleted_under_a_document_leaves_an_id_without_a_name)
* Somebody else's unattached upload is a 403, for reading and for linking (4.4; test_an_upload_of_somebody_else_that_hangs_nowhere_is_forbidden)
* The file of a deleted document is a 403, not a 404 (4.4; test_the_file_of_a_deleted_document_of_somebody_else_is_a_403_and_no_404)

Webhooks

* Their creation alone answers 201 (0.9, 1.6; test_creating_a_webhook_answers_201_with_the_secret)
* An API user sees its own only (1.6; test_an_api_user_lists_only_its_own_webhooks)
* The event of a webhook cannot be changed and the attempt is ignored (1.6; test_the_event_of_a_webhook_stays_what_it_is)
* skipOwn without a user is switched off silently (1.6; test_skip_own_without_a_user_is_switched_off_without_a_word)
* Two equal webhooks tell everything twice (1.6; test_two_equal_webhooks_tell_everything_twice)
* Private addresses are refused unless exactly allowed (1.7; test_a_private_address_is_refused_unless_it_is_allowed)
* 9.3 takes a bad URL and fails when it sends, 10 refuses it (1.7; test_a_bad_url_is_noticed_at_creation_only_by_10)
* Both signatures, key as text (1.5; test_the_reference_vector_is_signed_byte_for_byte)
* Names and order of the headers differ between 9.3 and 10 (1.4; test_a_request_has_exactly_these_headers_in_this_order)
* Large bodies come with Expect: 100-continue (1.4; test_a_body_above_a_megabyte_asks_before_it_is_sent)
* A create tells what is set, sent nulls included (1.1; test_a_create_tells_what_is_set_and_the_file)
* An update tells what changed, and modifiedById when somebody else edits (1.1; test_an_update_tells_only_what_changed_and_who_did_it_the_first_time)
* An update can tell nothing but modifiedById (0.6, 1.1; test_ids_that_cannot_be_stored_tell_only_who_tried)
* fieldUpdate.file tells id and name, and nothing at creation (1.1; test_a_field_update_of_the_file_tells_id_and_name_and_not_at_creation)
* A restore tells nothing (1.1; test_a_delete_tells_the_id_and_a_restore_nothing)
* Nothing is told of the time without an active webhook (1.1; test_nothing_is_told_of_the_time_before_a_webhook_or_while_it_is_off)
* skipOwn spares us our own writes (1.6; test_skip_own_keeps_our_own_writes_to_ourselves)

Delivery

* Twenty events a run (1.2; test_a_run_takes_twenty_events_and_sends_them_as_one_array)
* An array of up to fifty, several items of one record (0.5, 1.2; test_a_batch_holds_fifty_and_several_items_of_one_record)
* 2xx and 3xx are success, eight answers are retried, all others lose the batch (1.3; test_the_answer_decides_between_done_again_and_lost)
* 410 deletes the webhook (0.3, 1.3; test_a_410_deletes_the_webhook_and_all_that_waits_for_it)
* Four attempts ten minutes apart (1.3; test_a_refused_batch_comes_four_times_ten_minutes_apart_and_never_again)
* A retried update arrives after a newer one (1.2; test_a_retried_update_arrives_after_a_newer_one)
* A delete can overtake an update (0.5; test_a_delete_can_overtake_an_update)
* A refused connection is retried by 9.3 and lost by 10 (1.3; test_a_refused_connection_is_tried_again_by_9_3_and_lost_by_10)
* A timeout is a 408, so the receiver gets a duplicate (1.3; test_a_receiver_that_is_slow_gets_a_duplicate)
* A name that does not resolve loses the event (1.3; test_a_name_that_does_not_resolve_loses_the_event_at_once)
* So does an address that is no longer allowed (1.7; test_an_address_that_is_no_longer_allowed_loses_the_event_at_once)
* Purged or unreadable records are dropped silently (1.2; test_what_the_user_may_no_longer_read_or_what_is_purged_is_dropped_silently)
* A literal IP address stops everything in 10.0-dev; a switch, because tests live on such addresses (1.3; test_a_literal_address_stops_all_webhooks_of_10_when_asked_to)

Administration

* The Entity Manager prefixes fields and links of EspoCRM's own types with c, new types with C (5.2; test_the_entity_manager_prefixes_what_it_adds_to_stock_types)
* And leaves the names in custom types as they are (5.2, LinkManager's source; test_names_in_custom_types_are_kept)
* A field's creation does not answer its final name (5.2; test_the_entity_manager_prefixes_what_it_adds_to_stock_types)
* API users may not use it (5.2; test_the_entity_manager_is_for_administrators)

The replaced installation (profile `vmh-2026-03-23`)

* Rows of the pair table have numbers for ids (profile 2.4; test_linking_makes_a_row_with_a_number)
* Linking again gives another row (profile 2.4; test_unlinking_and_linking_again_gives_another_row)
* The link endpoint shows no columns of the row (profile 2.4; test_the_link_endpoint_shows_documents_without_the_columns_of_the_row)
* A hook marks every saved document unclean, after our own writes, too (profile 2.6; test_a_hook_marks_a_saved_document_unclean)
* And its case file, row and collection (profile 2.6; test_the_hook_reaches_case_file_row_and_collection_and_tells_of_them)

Not emulated: mass actions, the duplicate check of Account and Contact, streams, teams, field-level rights, changing and
removing fields and entity types, extension upload, redirects followed to https, thumbnails, the audit log, weekly clean-ups (`World.purge` does one by hand).
"""  # noqa: E501 - one line per quirk

from docsyncd_espocrm.emulator.application import EspoEmulator
from docsyncd_espocrm.emulator.sender import WebhookSettings
from docsyncd_espocrm.emulator.world import World

__all__ = ["EspoEmulator", "WebhookSettings", "World"]
