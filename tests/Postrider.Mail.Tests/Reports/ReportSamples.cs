using System.Text;

namespace Postrider.Mail.Tests.Reports;

/// <summary>Reports in the shapes in which servers and providers of mailboxes send them.</summary>
static class ReportSamples
{
    public static byte[] Bytes(string sample) => Encoding.UTF8.GetBytes(sample.ReplaceLineEndings("\r\n"));

    public const string Postfix = """
        Return-Path: <>
        Received: by relay.example.net (Postfix) id 4D2F11A0; Sat, 21 Nov 2026 12:00:01 +0000 (UTC)
        Date: Sat, 21 Nov 2026 12:00:01 +0000 (UTC)
        From: MAILER-DAEMON@relay.example.net (Mail Delivery System)
        Subject: Undelivered Mail Returned to Sender
        To: b-tag@bounce.example.com
        Auto-Submitted: auto-replied
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status;
        	boundary="7C1D21A0.1700000000/relay.example.net"
        Content-Transfer-Encoding: 8bit
        Message-Id: <20261121120001.4D2F11A0@relay.example.net>

        This is a MIME-encapsulated message.

        --7C1D21A0.1700000000/relay.example.net
        Content-Description: Notification
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: 8bit

        This is the mail system at host relay.example.net.

        <gone@example.org>: host mx.example.org[192.0.2.1] said: 550 5.1.1
            <gone@example.org>: Recipient address rejected: User unknown (in reply to
            RCPT TO command)

        --7C1D21A0.1700000000/relay.example.net
        Content-Description: Delivery report
        Content-Type: message/delivery-status

        Reporting-MTA: dns; relay.example.net
        X-Postfix-Queue-ID: 7C1D21A0
        X-Postfix-Sender: rfc822; b-tag@bounce.example.com
        Original-Envelope-Id: 019abc00-0000-7000-8000-000000000001
        Arrival-Date: Sat, 21 Nov 2026 12:00:00 +0000 (UTC)

        Final-Recipient: rfc822; gone@example.org
        Original-Recipient: rfc822;gone@example.org
        Action: failed
        Status: 5.1.1
        Remote-MTA: dns; mx.example.org
        Diagnostic-Code: smtp; 550 5.1.1 <gone@example.org>: Recipient address
            rejected: User unknown

        Final-Recipient: rfc822; slow@example.org
        Action: delayed
        Status: 4.4.1
        Diagnostic-Code: X-Postfix; connect to mx.example.org[192.0.2.1]:25:
            Connection timed out
        Will-Retry-Until: Thu, 26 Nov 2026 12:00:00 +0000 (UTC)

        --7C1D21A0.1700000000/relay.example.net
        Content-Description: Undelivered Message Headers
        Content-Type: text/rfc822-headers
        Content-Transfer-Encoding: 8bit

        Return-Path: <b-tag@bounce.example.com>
        From: The Shop <shop@example.com>
        Message-ID: <019abc00@example.com>
        Subject: Your parcel

        --7C1D21A0.1700000000/relay.example.net--
        """;

    public const string Exim = """
        Return-path: <>
        X-Failed-Recipients: gone@example.org
        Auto-Submitted: auto-replied
        From: Mail Delivery System <Mailer-Daemon@mail.example.net>
        To: b-tag@bounce.example.com
        References: <019abc00@example.com>
        Content-Type: multipart/report; report-type=delivery-status; boundary=1700000000-eximdsn-1804289383
        MIME-Version: 1.0
        Subject: Mail delivery failed: returning message to sender
        Message-Id: <E1r2abc-0001aB-2C@mail.example.net>
        Date: Sat, 21 Nov 2026 12:00:00 +0000

        --1700000000-eximdsn-1804289383
        Content-type: text/plain; charset=us-ascii

        This message was created automatically by mail delivery software.

        --1700000000-eximdsn-1804289383
        Content-type: message/delivery-status

        Reporting-MTA: dns; mail.example.net

        Action: failed
        Final-Recipient: rfc822;gone@example.org
        Status: 5.0.0
        Remote-MTA: dns; mx.example.org
        Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does
         not exist. 550 5.1.1 example

        --1700000000-eximdsn-1804289383
        Content-type: message/rfc822

        Return-path: <b-tag@bounce.example.com>
        From: shop@example.com
        To: gone@example.org
        Message-ID: <019abc00@example.com>
        Subject: Your parcel

        On its way.
        --1700000000-eximdsn-1804289383--
        """;

    public const string OldExim = """
        X-Failed-Recipients: gone@example.org,
          also@example.org
        Auto-Submitted: auto-replied
        From: Mail Delivery System <Mailer-Daemon@old.example.net>
        To: b-tag@bounce.example.com
        Subject: Mail delivery failed: returning message to sender
        Message-Id: <E1abcd-0000aA-00@old.example.net>

        A message that you sent could not be delivered to one or more of its recipients.
        """;

    public const string Exchange = """
        From: <postmaster@contoso.example>
        To: <b-tag@bounce.example.com>
        Date: Sat, 21 Nov 2026 12:00:00 +0000
        MIME-Version: 1.0
        X-MS-Exchange-Message-Is-Ndr:
        Content-Language: en-US
        Message-ID: <b1946ac9@contoso.example>
        In-Reply-To: <019abc00@example.com>
        Subject: Undeliverable: Your parcel
        Auto-Submitted: auto-replied
        Content-Type: multipart/report; report-type=delivery-status;
        	boundary="_000_AM0PR01"

        --_000_AM0PR01
        Content-Type: multipart/alternative; differences=Content-Type;
        	boundary="_001_AM0PR01"

        --_001_AM0PR01
        Content-Type: text/plain; charset="us-ascii"
        Content-Transfer-Encoding: quoted-printable

        Your message to gone@contoso.example couldn't be delivered.=20

        --_001_AM0PR01
        Content-Type: text/html; charset="us-ascii"

        <html><body>Your message couldn't be delivered.</body></html>

        --_001_AM0PR01--

        --_000_AM0PR01
        Content-Type: message/delivery-status
        Content-Transfer-Encoding: base64

        UmVwb3J0aW5nLU1UQTogZG5zO0FNMFBSMDEucHJvZC5leGNoYW5nZWxhYnMuY29tDQpSZWNlaXZl
        ZC1Gcm9tLU1UQTogZG5zO3JlbGF5LmV4YW1wbGUubmV0DQoNCkZpbmFsLVJlY2lwaWVudDogcmZj
        ODIyO2dvbmVAY29udG9zby5leGFtcGxlDQpBY3Rpb246IEZhaWxlZA0KU3RhdHVzOiA1LjEuMTAg
        KHJlY2lwaWVudCBub3QgZm91bmQpDQpEaWFnbm9zdGljLUNvZGU6IHNtdHA7NTUwIDUuMS4xMCBS
        RVNPTFZFUi5BRFIuUmVjaXBpZW50Tm90Rm91bmQ7IG5vdCBmb3VuZA0KDQo=

        --_000_AM0PR01
        Content-Type: message/rfc822

        From: shop@example.com
        Message-ID: <019abc00@example.com>
        Subject: Your parcel

        On its way.

        --_000_AM0PR01--
        """;

    public const string Gmail = """
        Return-Path: <>
        From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
        To: b-tag@bounce.example.com
        Auto-Submitted: auto-replied
        Subject: Delivery Status Notification (Failure)
        Message-ID: <65abc.170a0220@mx.google.com>
        Content-Type: multipart/report; boundary="000000000000e1"; report-type=delivery-status

        --000000000000e1
        Content-Type: multipart/related; boundary="000000000000e2"

        --000000000000e2
        Content-Type: text/plain; charset="UTF-8"

        ** Address not found **

        --000000000000e2--
        --000000000000e1
        Content-Type: message/delivery-status

        Reporting-MTA: dns; googlemail.com
        Received-From-MTA: dns; shop@example.com
        Arrival-Date: Sat, 21 Nov 2026 04:00:00 -0800 (PST)
        X-Original-Message-ID: <019abc00@example.com>

        Final-Recipient: rfc822; gone@gmail.example
        Action: failed
        Status: 5.1.1
        Remote-MTA: dns; gmail-smtp-in.l.google.com. (2a00::1, the server for the domain gmail.example.)
        Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist. Please try
         550-5.1.1 double-checking the recipient's email address for typos or
         550 5.1.1 unnecessary spaces. - gsmtp
        Last-Attempt-Date: Sat, 21 Nov 2026 04:00:01 -0800 (PST)

        --000000000000e1
        Content-Type: message/rfc822

        From: shop@example.com
        Message-ID: <019abc00@example.com>

        On its way.
        --000000000000e1--
        """;

    public const string Abuse = """
        From: <abusedesk@example.net>
        Date: Sat, 21 Nov 2026 12:00:00 +0000
        Subject: FW: Your parcel
        To: <b-tag@bounce.example.com>
        Message-ID: <20261121.arf@example.net>
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=feedback-report;
             boundary="part1_13d.2e68ed54_boundary"

        --part1_13d.2e68ed54_boundary
        Content-Type: text/plain; charset="US-ASCII"
        Content-Transfer-Encoding: 7bit

        This is an email abuse report for an email message received from IP 192.0.2.1.

        --part1_13d.2e68ed54_boundary
        Content-Type: message/feedback-report

        Feedback-Type: abuse
        User-Agent: SomeGenerator/1.0
        Version: 1
        Original-Mail-From: <b-tag@bounce.example.com>
        Original-Rcpt-To: <ann@example.org>
        Received-Date: Sat, 21 Nov 2026 11:00:00 +0000
        Source-IP: 192.0.2.1

        --part1_13d.2e68ed54_boundary
        Content-Type: message/rfc822
        Content-Disposition: inline

        From: <shop@example.com>
        Message-ID: <019abc00@example.com>
        Subject: Your parcel

        On its way.
        --part1_13d.2e68ed54_boundary--
        """;

    public const string OutOfOffice = """
        From: Ann <ann@example.org>
        To: b-tag@bounce.example.com
        Subject: Automatic reply: Your parcel
        Auto-Submitted: auto-replied
        X-Auto-Response-Suppress: All
        Message-ID: <away@example.org>

        I am away until Monday.
        """;

    public const string Qmail = """
        From: MAILER-DAEMON@qmail.example
        To: b-tag@bounce.example.com
        Subject: failure notice

        Hi. This is the qmail-send program at qmail.example.
        I'm afraid I wasn't able to deliver your message to the following addresses.

        <gone@example.org>:
        Sorry, no mailbox here by that name. (#5.1.1)
        """;

    public static readonly IReadOnlyList<string> All = [Postfix, Exim, OldExim, Exchange, Gmail, Abuse, OutOfOffice, Qmail];
}
