using Postrider.Mail.Addresses;
using Postrider.Mail.Mime;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Providers;

/// <summary>What the tests of all HTTP vendors need.</summary>
static class Vendors
{
    /// <summary>A transport of a vendor, pointed at a stub.</summary>
    public static TransportSettings Settings(string scheme, HttpStub stub, string user = "KEY",
        params (string Name, string Value)[] options) => new()
        {
            Name = scheme,
            Scheme = scheme,
            User = user,
            Options = options.Append(("endpoint", stub.Url.ToString())).ToDictionary(o => o.Item1, o => o.Item2),
        };

    /// <summary>The request as the executable hands it on.</summary>
    public static InboundCall Inbound(HttpCall call) => new()
    {
        Method = call.Method,
        Path = call.Target.Split('?')[0],
        Target = call.Target,
        Headers = call.Headers,
        Body = call.Body,
    };

    public static InboundCall Post(string path, string body, params (string Name, string Value)[] headers) => new()
    {
        Method = "POST",
        Path = path,
        Target = path,
        Headers = [.. headers.Select(h => KeyValuePair.Create(h.Name, h.Value))],
        Body = System.Text.Encoding.UTF8.GetBytes(body),
    };

    public static HttpReply Reply(DialectAnswer answer) =>
        new(answer.Status, System.Text.Encoding.UTF8.GetString(answer.Body.Span), answer.ContentType
            ?? "text/plain")
        { Headers = answer.Headers };

    /// <summary>Accepts what is submitted, with ids in order, and tells what it was.</summary>
    public static (DialectAnswer Answer, IReadOnlyList<DialectSubmission> Submissions) Accept(IDialect dialect, InboundCall call) =>
        dialect.Read(call) switch
        {
            DialectReading.Submit submit =>
                (submit.Answer(new DialectReceipt(null,
                    [.. submit.Submissions.Select((_, n) => new DialectItem(MessageId.Create(1, n, 0), null))])), submit.Submissions),
            DialectReading.Answered answered => (answered.Answer, []),
            _ => throw new InvalidOperationException("a reading that is not known here"),
        };

    /// <summary>Content of every shape that can be submitted, from a seed.</summary>
    public static MessageContent AnyContent(ulong seed)
    {
        var mime = MessageMaker.Any(new Dice(seed), recipients: 1);
        return new MessageContent
        {
            From = mime.From,
            ReplyTo = mime.ReplyTo,
            Subject = mime.Subject ?? "",
            Text = mime.Text,
            Html = mime.Html,
            Headers = mime.Headers,
            // Longer names are refused at the door.
            Attachments = [.. mime.Attachments.Where(a => a.FileName.Length <= 255)],
        };
    }

    /// <summary>As <see cref="AnyContent"/>, for vendors that take a mailbox as one text: there, space around a name is none of
    /// it.</summary>
    public static MessageContent AnyWrittenContent(ulong seed)
    {
        var content = AnyContent(seed);
        return content with { From = Trimmed(content.From), ReplyTo = [.. content.ReplyTo.Select(Trimmed)] };
    }

    static Mailbox Trimmed(Mailbox mailbox) => new(mailbox.Name?.Trim(), mailbox.Address);

    /// <summary>Field by field, as a reader of the mail would see them.</summary>
    public static void AssertSame(MessageContent expected, MessageContent actual)
    {
        Assert.Equal(expected.From.Address, actual.From.Address);
        Assert.Equal(Name(expected.From.Name), Name(actual.From.Name));
        Assert.Equal(expected.ReplyTo.Select(r => (r.Address, Name(r.Name))), actual.ReplyTo.Select(r => (r.Address, Name(r.Name))));
        Assert.Equal(expected.Subject, actual.Subject);
        Assert.Equal(expected.Text ?? "", actual.Text ?? "");
        Assert.Equal(expected.Html ?? "", actual.Html ?? "");
        Assert.Equal(expected.Headers.Select(h => (h.Name, h.Value)), actual.Headers.Select(h => (h.Name, h.Value)));
        Assert.Equal(expected.Attachments.Select(Parts), actual.Attachments.Select(Parts));

        static string? Name(string? name) => string.IsNullOrWhiteSpace(name) ? null : name;
        static (string, string, string?, bool, string) Parts(MimeAttachment a) =>
            (a.FileName, a.ContentType, a.ContentId, a.Inline, Convert.ToBase64String(a.Content.Span));
    }
}
