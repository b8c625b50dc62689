using System.Text.Json;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Postmark;
using Postrider.Testing;
using Xunit;
using static Postrider.Messages.OutcomeKind;

namespace Postrider.Engine.Tests.Providers.Postmark;

public sealed class PostmarkProviderTests
{
    const string Taken = """{"To":"x","SubmittedAt":"2030-01-01T00:00:00.0000000+00:00","MessageID":"6e7f0ea7-7b0a-4c1c-9b0f-3f7d3b0d1c11","ErrorCode":0,"Message":"OK"}""";

    [Fact]
    public async Task A_message_to_several_people_is_one_message_with_all_of_them()
    {
        await using var stub = HttpStub.Start(new HttpReply(200, Taken));
        await using var provider = ProviderAt(stub);
        var envelope = Envelopes.To("\"O, Ann\" <a@to.test>", "b@bücher.example", "cc:c@to.test", "bcc:d@to.test");

        var outcomes = await provider.SendAsync(envelope, CancellationToken.None);

        Assert.All(outcomes, o => Assert.Equal((Accepted, "6e7f0ea7-7b0a-4c1c-9b0f-3f7d3b0d1c11"), (o.Kind, o.ProviderId)));
        var call = Assert.Single(stub.Calls);
        Assert.Equal(("POST", "/email", "KEY", "application/json"), (call.Method, call.Target, call.Header("X-Postmark-Server-Token"), call.Header("Content-Type")));
        Assert.Equal(
            $$$"""{"From":"Sender <sender@from.test>","To":"\"O, Ann\" <a@to.test>, b@xn--bcher-kva.example","Cc":"c@to.test","Bcc":"d@to.test","Subject":"Hello","TextBody":"Hello.\n","Metadata":{"postrider_id":"{{{envelope.Message}}}"}}""",
            call.Text);
    }

    [Fact]
    public async Task Blind_recipients_alone_never_see_each_other()
    {
        await using var stub = HttpStub.Start(new HttpReply(200, $"[{Taken},{Taken},{Taken}]"));
        await using var provider = ProviderAt(stub);
        var envelope = Envelopes.To("bcc:a@to.test", "cc:c@to.test", "bcc:b@to.test");

        var outcomes = await provider.SendAsync(envelope, CancellationToken.None);

        Assert.Equal([Accepted, Accepted, Accepted], outcomes.Select(o => o.Kind));
        var call = Assert.Single(stub.Calls);
        Assert.Equal("/email/batch", call.Target);
        Assert.Equal(["c@to.test", "a@to.test", "b@to.test"], Mails(call).Select(m => m.GetProperty("To").GetString()));
        Assert.All(Mails(call), m => Assert.False(m.TryGetProperty("Bcc", out _)));
        Assert.Equal($"{envelope.Message}-1", Mails(call)[0].GetProperty("Metadata").GetProperty("postrider_id").GetString());
    }

    [Fact]
    public async Task Whatever_waits_shares_a_call_and_half_a_batch_may_be_refused()
    {
        var gate = new TaskCompletionSource();
        await using var stub = VendorChecks.HoldingFirst(gate.Task, call => new HttpReply(200, call.Target == "/email"
            ? ResultOf(JsonElement.Parse(call.Text)) : $"[{string.Join(',', Mails(call).Select(ResultOf))}]"));
        await using var provider = ProviderAt(stub, ("calls", "1"));
        var sends = Enumerable.Range(0, 8)
            .Select(i => provider.SendAsync(Envelopes.With(Envelopes.Content with { Subject = $"{i}" }, i == 6
                ? ["c@to.test", "bad6@to.test"] : [i is 2 or 5 ? $"bad{i}@to.test" : $"a{i}@to.test"]), CancellationToken.None).AsTask())
            .ToList();

        gate.SetResult();
        var outcomes = await Task.WhenAll(sends);

        Assert.Equal([Accepted, Accepted, Rejected, Accepted, Accepted, Rejected, Accepted, Accepted], outcomes.Select(o => o[0].Kind));
        Assert.Equal((Rejected, OutcomeScope.Recipient, "5.1.3", 422),
            (outcomes[6][1].Kind, outcomes[6][1].Scope, outcomes[6][1].Reply.Enhanced, outcomes[6][1].Reply.Code));
        Assert.Equal(["/email", "/email/batch", "/email"], stub.Calls.Select(c => c.Target)); // the last without the bad one

        static string ResultOf(JsonElement mail) =>
            mail.GetProperty("To").GetString()!.Split(", ").FirstOrDefault(to => to.StartsWith("bad", StringComparison.Ordinal)) is { } bad
            ? PostmarkErrorsTests.Error(300, $"Invalid 'To' address: '{bad}'.") : Taken;
    }

    [Fact]
    public async Task A_batch_refused_as_a_whole_for_one_message_is_split_until_it_is_found()
    {
        var gate = new TaskCompletionSource();
        await using var stub = VendorChecks.HoldingFirst(gate.Task, call => call.Text.Contains("poison", StringComparison.Ordinal)
            ? new HttpReply(422, PostmarkErrorsTests.Error(402, "Invalid JSON"))
            : new HttpReply(200, call.Target == "/email" ? Taken : $"[{string.Join(',', Mails(call).Select(_ => Taken))}]"));
        await using var provider = ProviderAt(stub, ("calls", "1"));
        var sends = Enumerable.Range(0, 6)
            .Select(i => provider.SendAsync(Envelopes.With(Envelopes.Content with { Subject = i == 4 ? "poison" : $"{i}" },
                $"a{i}@to.test"), CancellationToken.None).AsTask()).ToList();

        gate.SetResult();

        Assert.Equal([Accepted, Accepted, Accepted, Accepted, Rejected, Accepted], (await Task.WhenAll(sends)).Select(o => o[0].Kind));
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("[" + Taken + "]")]
    [InlineData("[{},{}]")]
    [InlineData("{}")]
    public async Task A_batch_answered_in_another_shape_is_unknown(string body)
    {
        await using var stub = HttpStub.Start(new HttpReply(200, body));
        await using var provider = ProviderAt(stub);

        Assert.Equal([Unknown, Unknown], (await provider.SendAsync(Envelopes.To("bcc:a@to.test", "bcc:b@to.test"), CancellationToken.None)).Select(o => o.Kind));
        Assert.Single(stub.Calls);
    }

    [Fact]
    public async Task The_message_stream_is_the_one_for_the_kind_of_mail()
    {
        await using var stub = HttpStub.Start(new HttpReply(200, Taken));
        await using var provider = ProviderAt(stub, ("message_stream", "mails"), ("bulk_stream", "news"));

        await provider.SendAsync(Envelopes.To("a@to.test"), CancellationToken.None);
        await provider.SendAsync(Envelopes.To("a@to.test") with { Stream = MailStream.Bulk }, CancellationToken.None);

        Assert.Equal(["mails", "news"], stub.Calls.Select(call => JsonElement.Parse(call.Text).GetProperty("MessageStream").GetString()));
    }

    [Fact]
    public async Task At_most_once_asks_its_commit_point_once_and_refused_sends_nothing()
    {
        await using var stub = HttpStub.Start(new HttpReply(422, PostmarkErrorsTests.Error(300, "Invalid 'Cc' address: 'bad@to.test'.")), new HttpReply(200, Taken));
        await using var provider = ProviderAt(stub);
        var asked = 0;

        var outcomes = await provider.SendAsync(
            Envelopes.To("a@to.test", "cc:bad@to.test") with { CommitPoint = _ => ValueTask.FromResult(++asked == 1) },
            CancellationToken.None);
        var withdrawn = await provider.SendAsync(
            Envelopes.To("bcc:a@to.test", "bcc:b@to.test") with { CommitPoint = _ => ValueTask.FromResult(false) },
            CancellationToken.None);

        Assert.Equal([Accepted, Rejected], outcomes.Select(o => o.Kind));
        Assert.Equal([Unfit, Unfit], withdrawn.Select(o => o.Kind));
        Assert.Equal((1, 2), (asked, stub.Calls.Count));
    }

    [Theory]
    [InlineData("endpoint", "ftp://x", "option 'endpoint'")]
    [InlineData("message_stream", "a b", "option 'message_stream'")]
    [InlineData("bulk_stream", "", "option 'bulk_stream'")]
    public void Faulty_options_are_named(string name, string value, string expected) =>
        VendorChecks.AssertFaultyOption(new PostmarkProviderFactory(TimeProvider.System), name, value, expected);

    [Fact]
    public void A_token_is_needed_and_a_host_is_not()
    {
        var factory = new PostmarkProviderFactory(TimeProvider.System);
        var good = new TransportSettings { Name = "pm", Scheme = "postmark", User = "token" };

        Assert.Empty(factory.Check(good));
        Assert.Single(factory.Check(good with { User = null }));
        Assert.Single(factory.Check(good with { Host = "api.example.com" }));
    }

    internal static IProvider ProviderAt(HttpStub stub, params (string, string)[] options) =>
        new PostmarkProviderFactory(TimeProvider.System).Create(Vendors.Settings("postmark", stub, "KEY", options));

    static List<JsonElement> Mails(HttpCall call) => [.. JsonElement.Parse(call.Text).EnumerateArray()];
}
