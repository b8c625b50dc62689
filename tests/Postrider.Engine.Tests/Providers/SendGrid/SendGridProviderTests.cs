using System.Text.Json;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.SendGrid;
using Postrider.Testing;
using Xunit;
using static Postrider.Messages.OutcomeKind;

namespace Postrider.Engine.Tests.Providers.SendGrid;

public sealed class SendGridProviderTests
{
    static readonly HttpReply Taken = new HttpReply(202).With("X-Message-Id", "m1");

    [Fact]
    public async Task A_message_to_several_people_is_one_personalization_with_all_of_them()
    {
        await using var stub = HttpStub.Start(Taken);
        await using var provider = ProviderAt(stub);
        var envelope = Envelopes.To("Ann <a@to.test>", "b@to.test", "cc:c@to.test", "bcc:d@to.test");

        var outcomes = await provider.SendAsync(envelope, CancellationToken.None);

        Assert.All(outcomes, o => Assert.Equal((Accepted, "m1"), (o.Kind, o.ProviderId)));
        var call = Assert.Single(stub.Calls);
        Assert.Equal(("POST", "/v3/mail/send", "Bearer KEY", "application/json"),
            (call.Method, call.Target, call.Header("Authorization"), call.Header("Content-Type")));
        Assert.Equal(
            $$$"""{"personalizations":[{"to":[{"email":"a@to.test","name":"Ann"},{"email":"b@to.test"}],"cc":[{"email":"c@to.test"}],"bcc":[{"email":"d@to.test"}],"custom_args":{"postrider_id":"{{{envelope.Message}}}"}}],"from":{"email":"sender@from.test","name":"Sender"},"subject":"Hello","content":[{"type":"text/plain","value":"Hello.\n"}]}""",
            call.Text);
    }

    [Fact]
    public async Task A_lone_recipient_carries_its_own_id()
    {
        await using var stub = HttpStub.Start(Taken);
        await using var provider = ProviderAt(stub);
        var envelope = Envelopes.To("a@to.test", "b@to.test");

        await provider.SendAsync(envelope with { Recipients = [envelope.AllRecipients[1]] }, CancellationToken.None);

        var personalization = Assert.Single(Personalizations(stub.Calls[0]));
        Assert.Equal($"{envelope.Message}-1", personalization.GetProperty("custom_args").GetProperty("postrider_id").GetString());
    }

    [Fact]
    public async Task Blind_recipients_alone_never_see_each_other()
    {
        await using var stub = HttpStub.Start(Taken);
        await using var provider = ProviderAt(stub);

        var outcomes = await provider.SendAsync(Envelopes.To("bcc:a@to.test", "cc:c@to.test", "bcc:b@to.test"), CancellationToken.None);

        Assert.Equal([Accepted, Accepted, Accepted], outcomes.Select(o => o.Kind));
        Assert.Equal(["c@to.test", "a@to.test", "b@to.test"], Personalizations(Assert.Single(stub.Calls))
            .Select(p => Assert.Single(p.GetProperty("to").EnumerateArray()).GetProperty("email").GetString()));
        Assert.All(Personalizations(stub.Calls[0]), p => Assert.False(p.TryGetProperty("bcc", out _)));
    }

    [Fact]
    public async Task Messages_that_say_the_same_share_a_call_and_others_do_not_wait_for_them()
    {
        var gate = new TaskCompletionSource();
        await using var stub = HttpStub.StartAsync(async _ =>
        {
            await gate.Task;
            return Taken;
        });
        await using var provider = ProviderAt(stub, ("calls", "1"));
        var sends = Enumerable.Range(0, 11).Select(i => provider.SendAsync(Envelopes.To($"a{i}@to.test"), CancellationToken.None).AsTask())
            .ToList();
        sends.Add(provider.SendAsync(Envelopes.With(Envelopes.Content with { Subject = "Another" }, "z@to.test"),
            CancellationToken.None).AsTask());
        while (stub.Calls.Count < 2)
            await Task.Yield();

        gate.SetResult();
        await Task.WhenAll(sends);

        Assert.Equal([1, 1, 10], stub.Calls.Select(call => Personalizations(call).Count));
    }

    [Fact]
    public async Task One_bad_address_in_a_shared_call_does_not_stop_the_others()
    {
        var gate = new TaskCompletionSource();
        await using var stub = VendorChecks.HoldingFirst(gate.Task, call =>
        {
            var errors = Personalizations(call).SelectMany((p, i) => p.GetProperty("to").EnumerateArray().Select((to, j) => (to, i, j)))
                .Where(x => x.to.GetProperty("email").GetString()!.StartsWith("bad", StringComparison.Ordinal))
                .Select(x => $$"""{"message":"Does not contain a valid address.","field":"personalizations.{{x.i}}.to.{{x.j}}.email","help":null}""").ToList();
            return errors.Count == 0 ? Taken : new HttpReply(400, $$"""{"errors":[{{string.Join(',', errors)}}]}""");
        });
        await using var provider = ProviderAt(stub, ("calls", "1"));
        var sends = Enumerable.Range(0, 8)
            .Select(i => provider.SendAsync(i == 6
                ? Envelopes.To("c@to.test", "bad6@to.test")
                : Envelopes.To(i is 2 or 5 ? $"bad{i}@to.test" : $"a{i}@to.test"), CancellationToken.None).AsTask())
            .ToList();

        gate.SetResult();
        var outcomes = await Task.WhenAll(sends);

        Assert.Equal([Accepted, Accepted, Rejected, Accepted, Accepted, Rejected, Accepted, Accepted], outcomes.Select(o => o[0].Kind));
        Assert.Equal((Rejected, OutcomeScope.Recipient, "5.1.3"),
            (outcomes[6][1].Kind, outcomes[6][1].Scope, outcomes[6][1].Reply.Enhanced));
    }

    [Fact]
    public async Task At_most_once_asks_its_commit_point_once_also_when_a_bad_address_takes_a_second_call()
    {
        await using var stub = HttpStub.Start(new HttpReply(400, """{"errors":[{"message":"Does not contain a valid address.","field":"personalizations.0.cc.0.email"}]}"""), Taken);
        await using var provider = ProviderAt(stub);
        var asked = 0;

        var outcomes = await provider.SendAsync(Envelopes.To("a@to.test", "cc:bad@to.test") with
        {
            CommitPoint = _ => ValueTask.FromResult(++asked == 1),
        }, CancellationToken.None);

        Assert.Equal([Accepted, Rejected], outcomes.Select(o => o.Kind));
        Assert.Equal((1, 2), (asked, stub.Calls.Count));
    }

    [Theory]
    [InlineData("X-SG-EID", "the header X-SG-EID")]
    public async Task A_header_that_SendGrid_writes_itself_is_carried_by_another_transport(string name, string reason)
    {
        await using var stub = HttpStub.Start(Taken);
        await using var provider = ProviderAt(stub);

        var outcome = Assert.Single(await provider.SendAsync(
            Envelopes.With(Envelopes.Content with { Headers = [MessageMaker.Field(name, "x")] }, "a@to.test"), CancellationToken.None));

        Assert.Equal((Unfit, OutcomeScope.Message), (outcome.Kind, outcome.Scope));
        Assert.Contains(reason, outcome.Reply.Text, StringComparison.Ordinal);
        Assert.Empty(stub.Calls);
    }

    [Theory]
    [InlineData("endpoint", "ftp://x", "option 'endpoint'")]
    [InlineData("endpoint", "http://u:p@x/", "option 'endpoint'")]
    [InlineData("calls", "0", "option 'calls'")]
    [InlineData("coalesce", "many", "option 'coalesce'")]
    [InlineData("region", "mars", "option 'region'")]
    [InlineData("callback_key", "AAAA", "option 'callback_key'")]
    public void Faulty_options_are_named(string name, string value, string expected) =>
        VendorChecks.AssertFaultyOption(new SendGridProviderFactory(TimeProvider.System), name, value, expected);

    [Fact]
    public void A_key_is_needed_and_a_host_is_not()
    {
        var factory = new SendGridProviderFactory(TimeProvider.System);
        var good = new TransportSettings { Name = "sg", Scheme = "sendgrid", User = "SG.key" };

        Assert.Empty(factory.Check(good));
        Assert.Single(factory.Check(good with { User = null }));
        Assert.Single(factory.Check(good with { User = "schlüssel" }));
        Assert.Single(factory.Check(good with { Host = "api.example.com" }));
    }

    internal static IProvider ProviderAt(HttpStub stub, params (string, string)[] options) =>
        new SendGridProviderFactory(TimeProvider.System).Create(Vendors.Settings("sendgrid", stub, "KEY", options));

    static List<JsonElement> Personalizations(HttpCall call) =>
        [.. JsonElement.Parse(call.Text).GetProperty("personalizations").EnumerateArray()];
}
