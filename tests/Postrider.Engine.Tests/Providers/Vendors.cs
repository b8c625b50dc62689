using Postrider.Engine.Tests.Submission;
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

    /// <summary>A vendor whose first answer waits for the gate, so that what comes meanwhile goes together.</summary>
    public static HttpStub HoldingFirst(Task gate, Func<HttpCall, HttpReply> answer)
    {
        var calls = 0;
        return HttpStub.StartAsync(async call =>
        {
            if (Interlocked.Increment(ref calls) == 1)
                await gate;
            return answer(call);
        });
    }

    /// <summary>What one answer makes of a call for one recipient, which is made once.</summary>
    public static async Task AssertOutcomeAsync(
        HttpReply answer, Func<HttpStub, IProvider> providerAt, OutcomeKind kind, OutcomeScope scope)
    {
        await using var stub = HttpStub.Start(answer);
        await using var provider = providerAt(stub);

        var outcome = Assert.Single(await provider.SendAsync(Envelopes.To("a@to.test"), CancellationToken.None));

        Assert.Equal((kind, scope, answer.Status), (outcome.Kind, outcome.Scope, outcome.Reply.Code));
        Assert.Equal(kind is not OutcomeKind.Unknown, outcome.KnownUnsent);
        Assert.Single(stub.Calls);
    }

    /// <summary>One option of a DSN is wrong: the check names it, and knows it.</summary>
    public static void AssertFaultyOption(
        IProviderFactory factory, string name, string value, string expected, string host = "")
    {
        var settings = new TransportSettings
        {
            Name = "one",
            Scheme = factory.Scheme,
            User = "KEY",
            Host = host,
            Options = new Dictionary<string, string> { [name] = value },
        };

        Assert.Contains(expected, Assert.Single(factory.Check(settings)), StringComparison.Ordinal);
        Assert.Contains(name, factory.OptionNames);
    }

    /// <summary>Sends messages of every shape to several people. What the vendor cannot carry is said so; of all else what it understood is
    /// what was submitted.</summary>
    /// <param name="arrived">What it understood of the last call.</param>
    /// <param name="there">What a content is in its words, where it has not all of ours.</param>
    public static async Task AssertAllArriveAsync(
        IProvider provider, Func<ulong, MessageContent> contentOf, Func<SubmissionRequest> arrived,
        Func<MessageContent, MessageContent>? there = null)
    {
        var carried = 0;
        for (var seed = 0UL; seed < 300; seed++)
        {
            var content = contentOf(seed);
            var envelope = Envelopes.With(content, "Al <a@to.test>", "\"O, B\" <b@bücher.example>", "cc:c@to.test", "bcc:d@to.test");

            var outcomes = await provider.SendAsync(envelope, CancellationToken.None);

            if (provider.Capabilities.WhyUnfit(content) is { } why)
            {
                Assert.All(outcomes, o => Assert.Equal((OutcomeKind.Unfit, $"cannot carry {why}"), (o.Kind, o.Reply.Text)));
                continue;
            }
            Assert.All(outcomes, o => Assert.True(o.Kind == OutcomeKind.Accepted, $"seed {seed}: {o.Reply.Text}"));
            var accepted = Requests.Accepted(arrived());
            AssertSame(there is null ? content : there(content), accepted.Content);
            Assert.Equal(
                envelope.Recipients.Select(r => (r.Kind, r.Mailbox.Address, r.Mailbox.Name)),
                accepted.Recipients.Select(r => (r.Kind, r.Mailbox.Address, r.Mailbox.Name)));
            Assert.Equal([new MetadataEntry(CarriedId.Name, envelope.Message.ToString())], accepted.Metadata);
            carried++;
        }
        Assert.True(carried > 100, $"only {carried} could be carried");
    }

    /// <summary>For vendors where an attachment is inline when it has a content id, and not otherwise.</summary>
    public static MessageContent InlineByContentId(MessageContent content) => content with
    {
        Attachments = [.. content.Attachments.Select(attachment => attachment with { Inline = attachment.ContentId is not null })],
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
