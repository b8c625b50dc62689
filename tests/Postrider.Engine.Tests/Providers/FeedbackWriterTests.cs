using System.Security.Cryptography.X509Certificates;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Mailgun;
using Postrider.Providers.Postmark;
using Postrider.Providers.Resend;
using Postrider.Providers.SendGrid;
using Postrider.Providers.Ses;
using Xunit;

namespace Postrider.Engine.Tests.Providers;

/// <summary>What simulated vendors report, read by the readers of the real ones' callbacks.</summary>
public sealed class FeedbackWriterTests
{
    static readonly DateTimeOffset Now = TimeProvider.System.GetUtcNow();
    static readonly SesCallbacks Ses = new(Now);

    public static TheoryData<string, FeedbackKind> Kinds()
    {
        var rows = new TheoryData<string, FeedbackKind>();
        foreach (var writer in Writers())
            foreach (var kind in Enum.GetValues<FeedbackKind>())
                if (writer.Write(Event(kind), Now) is not null)
                    rows.Add(writer.Vendor, kind);
        return rows;
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task What_is_written_is_read_as_the_same(string vendor, FeedbackKind kind)
    {
        var writer = Writers().First(w => w.Vendor == vendor);
        var written = Event(kind);

        var read = Assert.Single(Assert.IsType<FeedbackReading.Events>(await ReadAsync(writer, writer.Write(written, Now)!)).Items);

        Assert.Equal((written.Kind, written.CarriedId, written.ProviderId), (read.Kind, read.CarriedId, read.ProviderId));
        Assert.Equal(written.Address, read.Address);
        Assert.True((written.At - read.At).Duration() < TimeSpan.FromSeconds(1));
        if (kind == FeedbackKind.BouncedHard)
            Assert.Contains("no such user", read.Reply!.Value.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ses", "OnAccountSuppressionList")]
    [InlineData("sendgrid", "Bounced Address")]
    [InlineData("mailgun", "suppress-bounce")]
    [InlineData("resend", "email.suppressed")]
    public async Task Who_is_on_the_vendors_own_list_is_said_in_its_way(string vendor, string list)
    {
        var writer = Writers().First(w => w.Vendor == vendor);

        var read = await ReadAsync(writer, writer.Write(Event(FeedbackKind.Rejected) with { Suppressed = "before" }, Now)!);

        var item = Assert.Single(Assert.IsType<FeedbackReading.Events>(read).Items);
        Assert.Equal((FeedbackKind.Rejected, list), (item.Kind, item.Suppressed));
    }

    [Theory]
    [InlineData("ses")]
    [InlineData("sendgrid")]
    [InlineData("mailgun")]
    [InlineData("resend")]
    public async Task What_others_have_signed_is_refused(string vendor)
    {
        var ours = Writers().First(w => w.Vendor == vendor);
        var others = vendor == "ses" ? new SesCallbacks(Now) : Writers().First(w => w.Vendor == vendor);

        Assert.IsType<FeedbackReading.Refused>(await ReadAsync(ours, others.Write(Event(FeedbackKind.Delivered), Now)!));
    }

    static IFeedbackWriter[] Writers() =>
    [
        Ses, new SendGridCallbacks(), new MailgunCallbacks(Entropy.System), new PostmarkCallbacks(Entropy.System),
        new ResendCallbacks(Entropy.System),
    ];

    static async Task<FeedbackReading> ReadAsync(IFeedbackWriter writer, CallbackRequest callback)
    {
        var call = new InboundCall { Method = "POST", Path = "/", Target = "/", Headers = callback.Headers, Body = callback.Body };
        IFeedbackReader reader = writer.Vendor switch
        {
            "ses" => new SesFeedback((_, _) => ValueTask.FromResult<X509Certificate2?>(Ses.Certificate)),
            "sendgrid" => new SendGridFeedback(),
            "mailgun" => new MailgunFeedback(),
            "postmark" => new PostmarkFeedback(),
            _ => new ResendFeedback(),
        };
        var settings = new TransportSettings
        {
            Name = writer.Vendor,
            Scheme = writer.Vendor,
            Options = new Dictionary<string, string> { ["callback_key"] = writer.Key, ["topics"] = SesCallbacks.Topic },
        };
        return await reader.ReadAsync(call, settings, Now, CancellationToken.None);
    }

    static FeedbackEvent Event(FeedbackKind kind) => new()
    {
        Kind = kind,
        Type = "",
        Key = $"key-{kind}",
        CarriedId = MessageId.Create(1, 2, 3).ToString(),
        ProviderId = "provider-id",
        Address = "ann@example.org",
        At = Now,
        Url = kind == FeedbackKind.Clicked ? "https://example.org/" : null,
        Reply = kind switch
        {
            FeedbackKind.Delivered => new Reply(250, "2.0.0", "250 2.0.0 OK"),
            FeedbackKind.BouncedHard => new Reply(550, "5.1.1", "550 5.1.1 no such user"),
            _ => null,
        },
    };
}
