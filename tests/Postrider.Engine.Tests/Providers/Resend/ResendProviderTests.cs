using System.Text.Json;
using Postrider.Mail.Mime;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Resend;
using Postrider.Testing;
using Xunit;
using static Postrider.Messages.OutcomeKind;

namespace Postrider.Engine.Tests.Providers.Resend;

public sealed class ResendProviderTests
{
    static readonly HttpReply Taken = new(200, """{"id":"e1"}""");

    [Fact]
    public async Task A_message_to_several_people_is_one_email_with_all_of_them()
    {
        await using var stub = HttpStub.Start(Taken);
        await using var provider = ProviderAt(stub);
        var envelope = Envelopes.To("\"O, Ann\" <a@to.test>", "b@bücher.example", "cc:c@to.test", "bcc:d@to.test");

        var outcomes = await provider.SendAsync(envelope, CancellationToken.None);

        Assert.All(outcomes, o => Assert.Equal((Accepted, "e1"), (o.Kind, o.ProviderId)));
        var call = Assert.Single(stub.Calls);
        Assert.Equal(("POST", "/emails", "Bearer KEY"), (call.Method, call.Target, call.Header("Authorization")));
        Assert.Equal(
            $$$"""{"from":"Sender <sender@from.test>","to":["\"O, Ann\" <a@to.test>","b@xn--bcher-kva.example"],"cc":["c@to.test"],"bcc":["d@to.test"],"subject":"Hello","text":"Hello.\n","tags":[{"name":"postrider_id","value":"{{{envelope.Message}}}"}]}""",
            call.Text);
    }

    [Fact]
    public async Task The_same_attempt_has_the_same_key_and_body_and_any_other_has_another_key()
    {
        await using var stub = HttpStub.Start(Taken);
        await using var provider = ProviderAt(stub);
        var envelope = Envelopes.To("a@to.test", "b@to.test");

        await provider.SendAsync(envelope, CancellationToken.None);
        await provider.SendAsync(envelope, CancellationToken.None);
        await provider.SendAsync(envelope with { Recipients = [envelope.AllRecipients[0]] }, CancellationToken.None);
        await provider.SendAsync(envelope with { Recipients = [envelope.AllRecipients[1]] }, CancellationToken.None);
        await provider.SendAsync(envelope with { Generation = 2 }, CancellationToken.None);

        var keys = stub.Calls.Select(call => call.Header("Idempotency-Key")!).ToList();
        Assert.Equal((keys[0], stub.Calls[0].Text), (keys[1], stub.Calls[1].Text));
        Assert.Equal(4, keys.Distinct().Count());
        Assert.All(keys, key => Assert.InRange(key.Length, 1, 256));
        Assert.Equal($"pr-{envelope.Message}-1-1", keys[3]);
        Assert.True(provider.Capabilities.Idempotent);
    }

    [Fact]
    public async Task Blind_recipients_alone_never_see_each_other()
    {
        await using var stub = HttpStub.Start(Taken);
        await using var provider = ProviderAt(stub);

        var outcomes = await provider.SendAsync(Envelopes.To("bcc:a@to.test", "cc:c@to.test", "bcc:b@to.test"), CancellationToken.None);

        Assert.Equal([Accepted, Accepted, Accepted], outcomes.Select(o => o.Kind));
        Assert.Equal(["c@to.test", "a@to.test", "b@to.test"],
            stub.Calls.Select(call => Assert.Single(JsonElement.Parse(call.Text).GetProperty("to").EnumerateArray()).GetString()));
    }

    [Fact]
    public async Task A_bad_address_that_is_named_does_not_stop_the_others()
    {
        await using var stub = HttpStub.Start(new HttpReply(422, ResendErrorsTests.Error("validation_error", "Invalid `cc` field: bad@to.test")), Taken);
        await using var provider = ProviderAt(stub);

        var outcomes = await provider.SendAsync(Envelopes.To("a@to.test", "cc:bad@to.test"), CancellationToken.None);

        Assert.Equal([Accepted, Rejected], outcomes.Select(o => o.Kind));
        Assert.Equal((OutcomeScope.Recipient, "5.1.3"), (outcomes[1].Scope, outcomes[1].Reply.Enhanced));
        Assert.NotEqual(stub.Calls[0].Header("Idempotency-Key"), stub.Calls[1].Header("Idempotency-Key"));
    }

    [Fact]
    public async Task Batches_are_made_where_they_are_asked_for_and_half_of_one_may_be_refused()
    {
        var gate = new TaskCompletionSource();
        await using var stub = VendorChecks.HoldingFirst(gate.Task, call => call.Target == "/emails" ? Taken
            : new HttpReply(200, """{"data":[{"id":"e1"},{"id":"e3"}],"errors":[{"index":1,"message":"Invalid `to` field."}]}"""));
        await using var provider = ProviderAt(stub, ("calls", "1"), ("coalesce", "100"));
        var sends = Enumerable.Range(0, 4).Select(i => provider.SendAsync(Envelopes.To($"a{i}@to.test"), CancellationToken.None).AsTask()).ToList();
        var withFile = provider.SendAsync(Envelopes.With(Envelopes.Content with
        {
            Attachments = [new MimeAttachment { FileName = "a",
            Content = new byte[3] }]
        }, "f@to.test"), CancellationToken.None);

        gate.SetResult();
        var outcomes = await Task.WhenAll(sends);
        await withFile;

        Assert.Equal([Accepted, Accepted, Rejected, Accepted], outcomes.Select(o => o[0].Kind));
        Assert.Equal(["e1", null, "e3"], outcomes.Skip(1).Select(o => o[0].ProviderId));
        var batch = Assert.Single(stub.Calls, call => call.Target == "/emails/batch");
        Assert.Equal(("permissive", 3), (batch.Header("x-batch-validation"), JsonElement.Parse(batch.Text).GetArrayLength()));
        Assert.Equal(3, stub.Calls.Count);
        Assert.False(provider.Capabilities.Idempotent);
    }

    [Theory]
    [InlineData(200, "{\"data\":[{\"id\":\"e1\"}]}", Unknown)]
    [InlineData(200, "{\"data\":[{\"id\":\"e1\"},{}]}", Unknown)]
    [InlineData(200, "[]", Unknown)]
    [InlineData(500, "oops", Unknown)]
    [InlineData(429, "{\"name\":\"rate_limit_exceeded\",\"message\":\"m\"}", Throttled)]
    public async Task A_batch_answered_otherwise_is_one_outcome_for_all(int status, string body, OutcomeKind kind)
    {
        var gate = new TaskCompletionSource();
        await using var stub = VendorChecks.HoldingFirst(
            gate.Task, call => call.Target == "/emails" ? Taken : new HttpReply(status, body));
        await using var provider = ProviderAt(stub, ("calls", "1"), ("coalesce", "100"));
        var sends = Enumerable.Range(0, 3).Select(i => provider.SendAsync(Envelopes.To($"a{i}@to.test"), CancellationToken.None).AsTask()).ToList();

        gate.SetResult();

        Assert.Equal([Accepted, kind, kind], (await Task.WhenAll(sends)).Select(o => o[0].Kind));
        Assert.Equal(2, stub.Calls.Count);
    }

    [Theory]
    [InlineData("endpoint", "ftp://x", "option 'endpoint'")]
    [InlineData("callback_key", "secret", "option 'callback_key'")]
    [InlineData("callback_key", "whsec_!", "option 'callback_key'")]
    [InlineData("coalesce", "0", "option 'coalesce'")]
    public void Faulty_options_are_named(string name, string value, string expected) =>
        VendorChecks.AssertFaultyOption(new ResendProviderFactory(TimeProvider.System), name, value, expected);

    [Fact]
    public void A_key_is_needed_and_a_host_is_not()
    {
        var factory = new ResendProviderFactory(TimeProvider.System);
        var good = new TransportSettings { Name = "re", Scheme = "resend", User = "re_key" };

        Assert.Empty(factory.Check(good));
        Assert.Single(factory.Check(good with { User = null }));
        Assert.Single(factory.Check(good with { Host = "api.example.com" }));
    }

    [Fact]
    public async Task What_is_sent_says_what_was_submitted_field_by_field()
    {
        await using var stub = HttpStub.Start(Taken);
        await using var provider = ProviderAt(stub);

        await VendorChecks.AssertAllArriveAsync(
            provider, Vendors.AnyWrittenContent, () => Read(JsonElement.Parse(stub.Calls[^1].Text)), VendorChecks.InlineByContentId);
    }

    /// <summary>Resend's documented fields, read as its documentation says; encoded words in headers decoded, as readers of mail
    /// do.</summary>
    static SubmissionRequest Read(JsonElement body)
    {
        return new SubmissionRequest
        {
            From = new AddressText(body.GetProperty("from").GetString()!),
            To = List("to"),
            Cc = List("cc"),
            Bcc = List("bcc"),
            ReplyTo = List("reply_to"),
            Metadata = [.. body.GetProperty("tags").EnumerateArray()
                .Select(tag => new MetadataEntry(tag.GetProperty("name").GetString()!, tag.GetProperty("value").GetString()!))],
            Subject = Text(body, "subject"),
            Text = Text(body, "text"),
            Html = Text(body, "html"),
            Headers = body.TryGetProperty("headers", out var headers)
                ? [.. headers.EnumerateObject().Select(h => KeyValuePair.Create(h.Name, HeaderText.Decode(h.Value.GetString()!)))] : [],
            Attachments = body.TryGetProperty("attachments", out var files)
                ? [.. files.EnumerateArray().Select(f => new AttachmentText(Text(f, "filename"), Text(f, "content_type"), Text(f, "content"), Text(f, "content_id")))] : [],
        };

        AddressText[] List(string name) =>
            body.TryGetProperty(name, out var list) ? [.. list.EnumerateArray().Select(a => new AddressText(a.GetString()!))] : [];

        static string? Text(JsonElement of, string name) => of.TryGetProperty(name, out var text) ? text.GetString() : null;
    }

    internal static IProvider ProviderAt(HttpStub stub, params (string, string)[] options) =>
        new ResendProviderFactory(TimeProvider.System).Create(Vendors.Settings("resend", stub, "KEY", options));
}
