using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Postrider.Mail.Reports;
using Xunit;
using static Postrider.Mail.Tests.Reports.ReportSamples;

namespace Postrider.Mail.Tests.Reports;

/// <summary>Bounces and complaints in the shapes in which they really come, and in those in which nobody sends them.</summary>
public sealed class MailReportReaderTests
{
    [Fact]
    public void A_bounce_of_Postfix_tells_of_each_recipient()
    {
        var report = Assert.IsType<MailReport.Delivery>(MailReportReader.Read(Bytes(Postfix)));

        Assert.Equal(("20261121120001.4D2F11A0@relay.example.net", "019abc00@example.com"), (report.ReportId, report.OriginalMessageId));
        Assert.Equal(("019abc00-0000-7000-8000-000000000001", "relay.example.net"), (report.OriginalEnvelopeId, report.ReportingServer));
        Assert.Equal(2, report.Recipients.Count);
        var (gone, slow) = (report.Recipients[0], report.Recipients[1]);
        Assert.Equal(("gone@example.org", "gone@example.org", DeliveryAction.Failed, "5.1.1", 550, "mx.example.org"),
            (gone.FinalRecipient!.ToString(), gone.OriginalRecipient!.ToString(), gone.Action, gone.Status, gone.Code, gone.RemoteServer));
        Assert.StartsWith("550 5.1.1 <gone@example.org>: Recipient address", gone.Diagnosis, StringComparison.Ordinal);
        Assert.Equal((DeliveryAction.Delayed, "4.4.1", 0), (slow.Action, slow.Status, slow.Code));
    }

    [Theory]
    [InlineData(Exim, "gone@example.org", "5.1.1", 550)]
    [InlineData(Exchange, "gone@contoso.example", "5.1.10", 550)]
    [InlineData(Gmail, "gone@gmail.example", "5.1.1", 550)]
    public void So_do_those_of_others(string sample, string recipient, string status, int code)
    {
        var report = Assert.IsType<MailReport.Delivery>(MailReportReader.Read(Bytes(sample)));

        var only = Assert.Single(report.Recipients);
        Assert.Equal((recipient, DeliveryAction.Failed, status, code),
            (only.FinalRecipient!.ToString(), only.Action, only.Status, only.Code));
        Assert.Equal("019abc00@example.com", report.OriginalMessageId);
    }

    [Fact]
    public void Old_Exim_names_the_failed_ones_in_the_header()
    {
        var report = Assert.IsType<MailReport.Delivery>(MailReportReader.Read(Bytes(OldExim)));

        Assert.Equal([("gone@example.org", DeliveryAction.Failed, null), ("also@example.org", DeliveryAction.Failed, (string?)null)],
            report.Recipients.Select(r => (r.FinalRecipient!.ToString(), r.Action, r.Status)));
    }

    [Fact]
    public void A_complaint_tells_who_complained_of_what()
    {
        var report = Assert.IsType<MailReport.Abuse>(MailReportReader.Read(Bytes(ReportSamples.Abuse)));

        Assert.Equal(("abuse", "SomeGenerator/1.0", "b-tag@bounce.example.com", "019abc00@example.com"),
            (report.FeedbackType, report.UserAgent, report.OriginalMailFrom, report.OriginalMessageId));
        Assert.Equal(["ann@example.org"], report.Recipients);
    }

    [Fact]
    public void An_absence_note_is_no_bounce() =>
        Assert.Equal("away@example.org", Assert.IsType<MailReport.AutoReply>(MailReportReader.Read(Bytes(OutOfOffice))).ReportId);

    [Fact]
    public void What_cannot_be_understood_is_not_guessed() =>
        Assert.Equal("failure notice", Assert.IsType<MailReport.Unreadable>(MailReportReader.Read(Bytes(Qmail))).Subject);

    // A customer's own mail may quote a bounce; what is quoted is reported by nobody.
    [Fact]
    public void A_bounce_inside_a_forwarded_message_does_not_count()
    {
        var forward = Bytes("""
            From: ann@example.org
            Subject: look at this
            Content-Type: multipart/mixed; boundary=x

            --x
            Content-Type: message/rfc822

            """ + Postfix + "\n--x--\n");

        Assert.IsType<MailReport.Unreadable>(MailReportReader.Read(forward));
    }

    [Theory]
    [InlineData("Action: FAILED\nStatus: 5.1.1", DeliveryAction.Failed, "5.1.1")]
    [InlineData("Action: failed (gave up)\nStatus: 5.7.1 (policy)", DeliveryAction.Failed, "5.7.1")]
    [InlineData("Status: 4.2.2", DeliveryAction.Delayed, "4.2.2")]
    [InlineData("Status: 2.0.0", DeliveryAction.Delivered, "2.0.0")]
    [InlineData("Action: relayed\nStatus: 2.1.9", DeliveryAction.Relayed, "2.1.9")]
    [InlineData("Action: failed\nStatus: 5.0.0\nDiagnostic-Code: 552 5.2.2 mailbox full", DeliveryAction.Failed, "5.2.2")]
    [InlineData("Action: failed\nStatus: nonsense", DeliveryAction.Failed, null)]
    [InlineData("Action: exploded", DeliveryAction.Unknown, null)]
    public void Fields_are_read_as_servers_write_them(string fields, DeliveryAction action, string? status)
    {
        var report = MailReportReader.Read(Bytes(
            $"Content-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nFinal-Recipient: a@example.org\n{fields}\n"));

        var only = Assert.Single(Assert.IsType<MailReport.Delivery>(report).Recipients);
        Assert.Equal(("a@example.org", action, status), (only.FinalRecipient!.ToString(), only.Action, only.Status));
    }

    [Fact]
    public void Any_part_of_a_report_is_read_to_something()
    {
        foreach (var sample in All.Select(Bytes))
            for (var length = 0; length <= sample.Length; length += 7)
                Assert.NotNull(MailReportReader.Read(sample.AsMemory(0, length)));
    }

    [Fact]
    public void So_is_any_damaged_one() => Check.QuickThrowOnFailure(Prop.ForAll(
        (from s in Gen.Elements(All.ToArray())
         from at in Gen.Choose(0, Bytes(s).Length - 1)
         from to in Gen.Choose(0, 255)
         select (s, at,
            to))
            .ToArbitrary(),
        change =>
        {
            var bytes = Bytes(change.s);
            bytes[change.at] = (byte)change.to;
            var report = MailReportReader.Read(bytes);
            if (report is MailReport.Delivery delivery)
                Assert.All(delivery.Recipients, r => Assert.DoesNotContain(r.Diagnosis, char.IsControl));
        }));

    [Fact]
    public void A_hundred_thousand_recipients_are_cut_short()
    {
        var many = new StringBuilder("Content-Type: message/delivery-status\r\n\r\n");
        for (var i = 0; i < 100_000; i++)
            many.Append("Final-Recipient: rfc822; a@example.org\r\nAction: failed\r\n\r\n");

        var report = MailReportReader.Read(Encoding.ASCII.GetBytes(many.ToString()));

        Assert.True(report is MailReport.Unreadable or MailReport.Delivery { Recipients.Count: <= 1_000 });
    }
}
