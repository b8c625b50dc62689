using Postrider.Engine.Tests.Submission;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Providers;

// What is asked of every vendor in the same way.
static partial class Vendors
{
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
}
