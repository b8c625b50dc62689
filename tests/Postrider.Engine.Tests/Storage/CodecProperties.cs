using FsCheck;
using FsCheck.Fluent;
using Postrider.Events;
using Postrider.Feedback;
using Postrider.Mail.Addresses;
using Postrider.Mail.Mime;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Storage;
using Xunit;
using Outcome = Postrider.Messages.Outcome;

namespace Postrider.Engine.Tests.Storage;

/// <summary>What is stored is read back as it was, and what is damaged is said to be.</summary>
public sealed class CodecProperties
{
    static readonly Gen<string> Texts = Gen.Elements(
        "", "a", "Ann Other", "Grüße, 世界 🚀", "quotes \" and \\ slashes", new string('x', 31), new string('ü', 32), new string('y', 5000),
            "tab\tand space ");

    static readonly Gen<string?> OptionalTexts = Gen.OneOf(Gen.Constant<string?>(null), Texts.Select(t => (string?)t));

    static readonly Gen<Mailbox> Mailboxes =
        from name in Gen.Elements(null, "Ann", "Ünï 🚀", "O'Brien, \"Pat\"")
        from address in Gen.Elements(
            "a@example.org", "\"odd local\"@example.org", "用户@例子.世界", "Case.Kept+tag@sub.example.org", "info@bücher.example")
        select new Mailbox(name, EmailAddress.Parse(address));

    static readonly Gen<HeaderField> Headers =
        from name in Gen.Elements("X-Campaign", "List-Id", "X-Ü".Replace("Ü", "U", StringComparison.Ordinal))
        from value in Gen.Elements("", "plain", "Grüße 🚀", new string('v', 500))
        select HeaderField.TryCreate(name, value, out var field, out _) ? field : throw new InvalidOperationException(name);

    static readonly Gen<MimeAttachment> Attachments =
        from name in Gen.Elements("a.txt", "Übersicht.pdf", "no extension")
        from type in Gen.Elements("text/plain", "application/pdf", "text/calendar; method=REQUEST")
        from bytes in Gen.ArrayOf(Gen.Choose(0, 255).Select(b => (byte)b))
        from id in Gen.Elements<string?>(null, "logo@example.org")
        from inline in Gen.Elements(true, false)
        select new MimeAttachment { FileName = name, ContentType = type, Content = bytes, ContentId = id, Inline = inline };

    static readonly Gen<MessageContent> Contents =
        from sender in Mailboxes
        from replyTo in Gen.ArrayOf(Mailboxes)
        from subject in Texts
        from text in OptionalTexts
        from html in OptionalTexts
        from headers in Gen.ArrayOf(Headers)
        from attachments in Gen.ArrayOf(Attachments, 2)
        from mime in Gen.Elements<string?>(null, "", "From: a@example.org\r\n\r\nHello.\r\n")
        from merge in Gen.Elements(null, new MergeForm(true, false), new MergeForm(false, true))
        from path in Gen.Elements<ReversePath?>(null, new ReversePath(null), new ReversePath(EmailAddress.Parse("bounces@example.org")))
        from opens in Gen.Elements(false, true)
        from clicks in Gen.Elements(false, true)
        from links in Gen.Elements(false, true)
        select new MessageContent
        {
            Track = new Tracked(opens, clicks, links),
            From = sender,
            ReplyTo = replyTo,
            Subject = subject,
            Text = text,
            Html = html,
            Headers = headers,
            Attachments = attachments,
            Mime = mime is null ? default(ReadOnlyMemory<byte>?) : System.Text.Encoding.ASCII.GetBytes(mime),
            ReversePath = path,
            Merge = merge,
            MergeData = merge is null ? default : "{\"a\":1}"u8.ToArray(),
        };

    static readonly Gen<Outcome> Outcomes =
        from kind in Gen.Choose(0, 7)
        from scope in Gen.Choose(0, 3)
        from code in Gen.Elements(0, 250, 554)
        from enhanced in Gen.Elements<string?>(null, "5.1.1")
        from words in Texts
        from command in Gen.Elements<string?>(null, "RCPT")
        from retryAfter in Gen.Elements<TimeSpan?>(null, TimeSpan.Zero, TimeSpan.FromSeconds(90))
        from providerId in Gen.Elements<string?>(null, "4XyZ")
        select new Outcome((OutcomeKind)kind, (OutcomeScope)scope, new Reply(code, enhanced, words, command), retryAfter, providerId);

    [Fact]
    public void Content_is_read_back_as_it_was_written() => Holds(Contents, content =>
    {
        var read = ContentCodec.Read(Encode(content));
        Assert.Equivalent(Comparable(content), Comparable(read), strict: true);
    });

    [Fact]
    public void Every_prefix_of_stored_content_is_refused() =>
        Holds(Contents.Where(c => c.Html?.Length is not > 1000 && c.Text?.Length is not > 1000), content =>
    {
        var data = Encode(content);
        for (var length = 0; length < data.Length; length++)
            Assert.Throws<InvalidDataException>(() => ContentCodec.Read(data.AsMemory(0, length)));
    }, tests: 30);

    [Fact]
    public void Damaged_content_is_refused_or_read_but_never_crashes() =>
        Holds(Contents.SelectMany(c => Gen.Choose(0, 1_000_000), (c, at) => (c, at)), damaged =>
    {
        var data = Encode(damaged.c);
        data[damaged.at % data.Length] ^= (byte)(1 + damaged.at % 255);
        try
        {
            ContentCodec.Read(data);
        }
        catch (Exception e) when (e is InvalidDataException or ArgumentException)
        {
            // Said to be damaged.
        }
    });

    [Fact]
    public void An_event_is_read_back_as_it_was_written() => Holds(
        from recipients in Gen.ArrayOf(Gen.Choose(0, 2000))
        from remark in OptionalTexts
        from outcomes in Gen.ArrayOf(Outcomes)
        from attempted in Gen.Elements(true, false)
        from passed in Gen.ArrayOf(Gen.Elements(new PassedOver("a", PassReason.CircuitOpen), new PassedOver("ünï", PassReason.TooLarge)))
        select new EventDetails(recipients, remark,
            attempted
                ? new AttemptDetails("relay", TimeSpan.FromMicroseconds(1234),
                    [.. outcomes.Select((o, n) => new AttemptOutcome(n, o, n % 2 == 0 ? null : "deferred 4 times",
                        n % 3 == 0 ? RecipientState.Failed : null))])
                { PassedOver = passed }
                : null),
        written =>
        {
            using var fields = new FieldWriter();
            EventCodec.Write(fields, written.Recipients, written.Remark, written.Attempt);
            Assert.Equivalent(written, EventCodec.Read(fields.Written.ToArray()), strict: true);
        });

    [Fact]
    public void A_history_is_read_back_as_it_was_written() => Holds(
        from refused in Gen.ArrayOf(Gen.Elements("a", "relay-2", "ünï"))
        from failed in Gen.ArrayOf(Gen.Elements("a", "relay-2"))
        from pinned in Gen.Elements<string?>(null, "a")
        from last in Gen.Elements<string?>(null, "b")
        from duplicate in Gen.Elements(true, false)
        from place in Gen.Elements(0L, 1_792_000_000_000L)
        select new TransportHistory
        {
            RefusedBy = refused,
            FailedThisRound = failed,
            PinnedTo = pinned,
            PinnedPlace = pinned is null ? 0 : place,
            Last = last,
            PossibleDuplicate = duplicate,
        },
        written => Assert.Equivalent(written, HistoryCodec.Decode(HistoryCodec.Encode(written)), strict: true));

    [Fact]
    public void An_empty_history_takes_no_room() => Assert.Null(HistoryCodec.Encode(new TransportHistory()));

    [Fact]
    public void A_newer_format_is_named_as_such()
    {
        var data = Encode(new MessageContent { From = new Mailbox(null, EmailAddress.Parse("a@example.org")) });
        data[0] = 6;

        Assert.Contains("newer Postrider", Assert.Throws<InvalidDataException>(() => ContentCodec.Read(data)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_message_of_a_batch_has_its_own_data()
    {
        var shared = new MessageContent
        {
            From = new Mailbox(null, EmailAddress.Parse("a@example.org")),
            Text = "{{a}}",
            Merge = new MergeForm(true, false),
        };
        using var fields = new FieldWriter(16);
        ContentCodec.WriteData(fields, "{\"a\":1}"u8);
        var own = fields.Written.ToArray();

        Assert.True(ContentCodec.IsData(own));
        Assert.False(ContentCodec.IsData(Encode(shared)));
        Assert.Same(shared, ContentCodec.OfBatch(shared, null));
        var one = ContentCodec.OfBatch(shared, own);
        Assert.Equal("{\"a\":1}", System.Text.Encoding.UTF8.GetString(one.MergeData.Span));
        Assert.Equal("1", Postrider.Templates.MergedContent.Of(one, out _)!.Text);
    }

    [Fact]
    public void The_first_format_is_still_read()
    {
        var content = new MessageContent { From = new Mailbox(null, EmailAddress.Parse("a@example.org")), Subject = "old", Text = "hello" };
        var data = Encode(content);
        data[0] = 1;

        Assert.Equivalent(Comparable(content), Comparable(ContentCodec.Read(data)), strict: true);
    }

    [Fact]
    public void Reports_go_to_the_sender_unless_the_reverse_path_says_otherwise()
    {
        var content = new MessageContent { From = new Mailbox(null, EmailAddress.Parse("a@example.org")) };

        Assert.Equal(content.From.Address, content.MailFrom);
        Assert.Null((content with { ReversePath = new ReversePath(null) }).MailFrom);
        Assert.Equal("b@example.org", (content with { ReversePath = new(EmailAddress.Parse("b@example.org")) }).MailFrom?.ToString());
    }

    [Theory]
    [InlineData("Ann@Example.org", "ann@example.ORG", true)]
    [InlineData("info@bücher.example", "INFO@xn--bcher-kva.example", true)]
    [InlineData("ann@example.org", "ann@example.com", false)]
    public void Spellings_of_one_mailbox_meet_in_one_hash(string one, string other, bool same)
    {
        var tenant = TenantId.First;
        var hash = StoredAddress.SearchHash(tenant, EmailAddress.Parse(one));

        Assert.Equal(same, hash == StoredAddress.SearchHash(tenant, EmailAddress.Parse(other)));
        Assert.NotEqual(hash, StoredAddress.SearchHash(new TenantId(2), EmailAddress.Parse(one)));
    }

    static byte[] Encode(MessageContent content)
    {
        using var fields = new FieldWriter(16);
        ContentCodec.Write(fields, content);
        return fields.Written.ToArray();
    }

    // Memory compares by reference: bytes are compared as text.
    static object Comparable(MessageContent c) => new
    {
        c.From,
        c.ReplyTo,
        c.Subject,
        c.Text,
        c.Html,
        Headers = c.Headers.Select(h => (h.Name, h.Value)).ToList(),
        Attachments = c.Attachments.Select(a => (a.FileName, a.ContentType, a.ContentId, a.Inline, Convert.ToHexString(a.Content.Span)))
            .ToList(),
        Mime = c.Mime is { } mime ? Convert.ToHexString(mime.Span) : null,
        c.ReversePath,
        c.Track,
        c.Merge,
        MergeData = Convert.ToHexString(c.MergeData.Span),
    };

    static void Holds<T>(Gen<T> values, Action<T> property, int tests = 300) =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(tests).WithQuietOnSuccess(true), Prop.ForAll(values.ToArbitrary(), property));

    [Fact]
    public void What_was_reported_is_read_back() => Check.QuickThrowOnFailure(Prop.ForAll(Reported.ToArbitrary(), report =>
    {
        using var fields = new FieldWriter();
        ReportCodec.Write(fields, report);
        Assert.Equal(report with { WaitingId = 7 }, ReportCodec.Read(fields.Written.ToArray(), 7));

        var e = report.Event;
        var details = new FeedbackDetails(report.Vendor, e.Type)
        {
            Reply = e.Reply,
            Bounce = e.CarriedId,
            Suppressed = e.Suppressed,
            Url = e.Url,
            UserAgent = e.UserAgent,
            Ip = e.Ip,
            IsMachine = e.IsMachine,
        };
        using var written = new FieldWriter();
        EventCodec.Write(written, report.N, details);
        var read = EventCodec.Read(written.Written.ToArray());
        Assert.Equal((details, report.N), (read.Feedback, read.Recipients.Select(n => (int?)n).SingleOrDefault()));
    }));

    static Gen<FeedbackReport> Reported =>
        from texts in Gen.ArrayOf(OptionalTexts, 8)
        from kind in Gen.Elements(Enum.GetValues<FeedbackKind>())
        from type in Texts
        from message in Gen.Elements<MessageId?>(null, new MessageId(0), new MessageId(long.MaxValue - 1))
        from n in Gen.Elements<int?>(null, 0, 999)
        from reply in Gen.Elements<Reply?>(null, new Reply(0, null, ""), new Reply(550, "5.1.1", "no such user"))
        from machine in Gen.Elements(true, false)
        select new FeedbackReport
        {
            Vendor = "sendgrid",
            Transport = texts[0],
            Message = message,
            N = n,
            Event = new FeedbackEvent
            {
                Kind = kind,
                Type = type,
                Key = "k" + type,
                At = DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_123),
                Reply = reply,
                CarriedId = texts[1],
                ProviderId = texts[2],
                Address = texts[3],
                Suppressed = texts[4],
                Url = texts[5],
                UserAgent = texts[6],
                Ip = texts[7],
                IsMachine = machine,
            },
        };
}
