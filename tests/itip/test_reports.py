"""What users of other systems have reported: each thread that taught us a rule is shown by a script or a test that names it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "scripts"

_THREAD = re.compile(r"\b[A-Za-z0-9-]+/[A-Za-z0-9._-]+#\d+")

SHOWN = {
    "Ericsson/exchangecalendar#89": "calendar_6498_exchangecalendar_101_another_time_is_proposed.txt",
    "Ericsson/exchangecalendar#106": "calendar_5106_exchangecalendar_106_what_is_off_goes.txt",
    "Ericsson/exchangecalendar#474": "calendar_5106_exchangecalendar_106_what_is_off_goes.txt",
    "Ericsson/exchangecalendar#566": "calendar_5106_exchangecalendar_106_what_is_off_goes.txt",
    "ExchangeCalendar/exchangecalendar#101": "calendar_6498_exchangecalendar_101_another_time_is_proposed.txt",
    "ExchangeCalendar/exchangecalendar#272": "calendar_6498_exchangecalendar_101_another_time_is_proposed.txt",
    "Foundry376/Mailspring-Sync#130": "calendar_6498_exchangecalendar_101_another_time_is_proposed.txt",
    "apple/ccs-calendarserver#198": "calendarserver_198_and_533_an_organizer_without_mailto.txt",
    "apple/ccs-calendarserver#533": "calendarserver_198_and_533_an_organizer_without_mailto.txt",
    "cyrusimap/cyrus-imapd#3927": "imapd_3927_google_says_the_comment_in_the_guests_line.txt",
    "cyrusimap/cyrus-imapd#4007": "imapd_4007_twake_819_an_occurrence_named_in_utc.txt",
    "cyrusimap/cyrus-imapd#4169": "server_53949_imapd_4169_tmail_2237_esn_sabre_283_a_reply_without_organizer.txt",
    "cyrusimap/cyrus-imapd#4313": "server_34230_imapd_4313_somebody_who_was_not_invited_answers.txt",
    "cyrusimap/cyrus-imapd#4580": "stalwart_3202_imapd_4580_calendar_8561_answers_mail_nobody_else.txt",
    "cyrusimap/cyrus-imapd#4936": "imapd_4936_dates_left_out_from_the_start_decline_nothing.txt",
    "ecederstrand/exchangelib#310": "node_ical_478_ical_generator_680_times_in_zones_of_their_own.txt",
    "frappe/suite#545": "suite_545_and_tmail_1121_invited_through_a_list.txt",
    "horde/horde#190": "wrong_elsewhere_deleting_a_copy.txt",
    "jens-maus/node-ical#478": "node_ical_478_ical_generator_680_times_in_zones_of_their_own.txt",
    "kewisch/gdata-provider#358": "server_34230_imapd_4313_somebody_who_was_not_invited_answers.txt",
    "linagora/esn-sabre#152": "esn_sabre_152_and_154_a_guest_of_one_date.txt",
    "linagora/esn-sabre#154": "esn_sabre_152_and_154_a_guest_of_one_date.txt",
    "linagora/esn-sabre#215": "vobject_433_547_dav_1250_esn_sabre_284_and_215_one_person_however_written.txt",
    "linagora/esn-sabre#283": "server_53949_imapd_4169_tmail_2237_esn_sabre_283_a_reply_without_organizer.txt",
    "linagora/esn-sabre#284": "vobject_433_547_dav_1250_esn_sabre_284_and_215_one_person_however_written.txt",
    "linagora/esn-sabre#299": "calendar_7057_server_59695_one_date_is_cancelled.txt",
    "linagora/esn-sabre#300": "esn_sabre_152_and_154_a_guest_of_one_date.txt",
    "linagora/esn-sabre#319": "dav_819_vobject_316_esn_sabre_319_and_409_alarms_stay_at_home.txt",
    "linagora/esn-sabre#409": "dav_819_vobject_316_esn_sabre_319_and_409_alarms_stay_at_home.txt",
    "linagora/tmail-backend#1121": "suite_545_and_tmail_1121_invited_through_a_list.txt",
    "linagora/tmail-backend#2237": "server_53949_imapd_4169_tmail_2237_esn_sabre_283_a_reply_without_organizer.txt",
    "linagora/twake-calendar-frontend#819": "imapd_4007_twake_819_an_occurrence_named_in_utc.txt",
    "mailcow/mailcow-dockerized#7214": "mailcow_7214_a_guest_adds_guests.txt",
    "nextcloud/calendar#2665": "stalwart_3202_imapd_4580_calendar_8561_answers_mail_nobody_else.txt",
    "nextcloud/calendar#4727": "vobject_715_calendar_4727_server_15568_sequence_per_occurrence.txt",
    "nextcloud/calendar#4833": "calendar_4833_a_moved_meeting_is_asked_anew.txt",
    "nextcloud/calendar#5023": "server_34230_imapd_4313_somebody_who_was_not_invited_answers.txt",
    "nextcloud/calendar#5106": "calendar_5106_exchangecalendar_106_what_is_off_goes.txt",
    "nextcloud/calendar#6498": "calendar_6498_exchangecalendar_101_another_time_is_proposed.txt",
    "nextcloud/calendar#7057": "calendar_7057_server_59695_one_date_is_cancelled.txt",
    "nextcloud/calendar#8561": "stalwart_3202_imapd_4580_calendar_8561_answers_mail_nobody_else.txt",
    "nextcloud/mail#10811": "wrong_elsewhere_an_answer_that_repeats_the_series.txt",
    "nextcloud/mail#11349": "stalwart_1945_mail_11349_invited_by_another_of_his_addresses.txt",
    "nextcloud/server#10490": "imapd_3927_google_says_the_comment_in_the_guests_line.txt",
    "nextcloud/server#15568": "vobject_715_calendar_4727_server_15568_sequence_per_occurrence.txt",
    "nextcloud/server#34230": "server_34230_imapd_4313_somebody_who_was_not_invited_answers.txt",
    "nextcloud/server#45497": "server_45497_a_yes_to_the_series_is_one_to_the_series.txt",
    "nextcloud/server#53949": "server_53949_imapd_4169_tmail_2237_esn_sabre_283_a_reply_without_organizer.txt",
    "nextcloud/server#59695": "calendar_7057_server_59695_one_date_is_cancelled.txt",
    "nextcloud/server#59988": "server_34230_imapd_4313_somebody_who_was_not_invited_answers.txt",
    "nextcloud/server#60452": "stalwart_3202_imapd_4580_calendar_8561_answers_mail_nobody_else.txt",
    "nextcloud/server#61114": "server_45497_a_yes_to_the_series_is_one_to_the_series.txt",
    "nextcloud/server#61162": "dav_819_vobject_316_esn_sabre_319_and_409_alarms_stay_at_home.txt",
    "robur-coop/icalendar#13": "imapd_4007_twake_819_an_occurrence_named_in_utc.txt",
    "rspamd/rspamd#4008": "rspamd_4008_an_answer_in_the_name_of_a_machine.txt",
    "runely/calendar-homey#680": "node_ical_478_ical_generator_680_times_in_zones_of_their_own.txt",
    "sabre-io/dav#819": "dav_819_vobject_316_esn_sabre_319_and_409_alarms_stay_at_home.txt",
    "sabre-io/dav#1250": "vobject_433_547_dav_1250_esn_sabre_284_and_215_one_person_however_written.txt",
    "sabre-io/dav#1293": "wrong_elsewhere_who_is_told.txt",
    "sabre-io/dav#1358": "calendarserver_198_and_533_an_organizer_without_mailto.txt",
    "sabre-io/vobject#316": "dav_819_vobject_316_esn_sabre_319_and_409_alarms_stay_at_home.txt",
    "sabre-io/vobject#433": "vobject_433_547_dav_1250_esn_sabre_284_and_215_one_person_however_written.txt",
    "sabre-io/vobject#547": "vobject_433_547_dav_1250_esn_sabre_284_and_215_one_person_however_written.txt",
    "sabre-io/vobject#715": "vobject_715_calendar_4727_server_15568_sequence_per_occurrence.txt",
    "sabre-io/vobject#784": "stalwart_3202_imapd_4580_calendar_8561_answers_mail_nobody_else.txt",
    "sebbo2002/ical-generator#680": "node_ical_478_ical_generator_680_times_in_zones_of_their_own.txt",
    "stalwartlabs/stalwart#1775": "stalwart_2102_and_1775_replies_and_cancels_carry_dates.txt",
    "stalwartlabs/stalwart#1945": "stalwart_1945_mail_11349_invited_by_another_of_his_addresses.txt",
    "stalwartlabs/stalwart#2102": "stalwart_2102_and_1775_replies_and_cancels_carry_dates.txt",
    "stalwartlabs/stalwart#3202": "stalwart_3202_imapd_4580_calendar_8561_answers_mail_nobody_else.txt",
    "stalwartlabs/stalwart#3270": "stalwart_3282_and_3270_everything_ends_with_a_reason.txt",
    "stalwartlabs/stalwart#3282": "stalwart_3282_and_3270_everything_ends_with_a_reason.txt",
    "thomersch/openstreetmap-calendar#185": "node_ical_478_ical_generator_680_times_in_zones_of_their_own.txt",
    "tutao/tutanota#2807": "tutanota_2807_a_guest_raises_no_sequence.txt",
}

# A mail scanner presses every link; a page on which a GET answers nothing is what these are about, and it is not built yet.
OF_THE_PAGE = ("nextcloud/server#58746", "pkp/pkp-lib#11690")


@pytest.mark.parametrize("thread", SHOWN)
def test_a_report_is_shown_where_the_table_says(thread: str) -> None:
    assert thread in _THREAD.findall((SCRIPTS / SHOWN[thread]).read_text())


def test_every_report_that_a_script_names_is_in_the_table() -> None:
    named = {found for path in SCRIPTS.glob("*.txt") for found in _THREAD.findall(path.read_text())}
    assert named == set(SHOWN)


def test_what_is_left_to_the_page_is_shown_nowhere_yet() -> None:
    """Else it belongs into the table."""
    others = (path for path in SCRIPTS.parent.parent.rglob("test_*.py") if path != Path(__file__))
    told = "".join(path.read_text() for path in others)
    assert [thread for thread in OF_THE_PAGE if thread in told] == []
