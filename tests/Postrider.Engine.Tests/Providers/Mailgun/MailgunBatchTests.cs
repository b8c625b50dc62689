using Postrider.Engine.Tests.Submission;
using Postrider.Mail.Mime;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Mailgun;
using Postrider.Testing;
using Xunit;
using static Postrider.Messages.OutcomeKind;

namespace Postrider.Engine.Tests.Providers.Mailgun;

/// <summary>Messages of a batch that say the same, as one call with recipient variables.</summary>
public sealed class MailgunBatchTests
{
    static readonly HttpReply Taken = new(200, """{"id":"<2026.1@mg.test>","message":"Queued. Thank you."}""");

    [Fact]
    public async Task Messages_that_say_the_same_share_a_call_with_the_id_of_each_in_his_variables()
    {
        await using var vendor = new GatedVendor(_ => Taken);
        var envelopes = Enumerable.Range(0, 4).Select(n => Envelopes.With(Full, $"\"Ann, {n}\" <a{n}@bücher.example>")).ToList();

        var outcomes = await vendor.SendAsync(envelopes);

        Assert.All(outcomes, o => Assert.Equal((Accepted, "2026.1@mg.test"), (Assert.Single(o).Kind, o[0].ProviderId)));
        Assert.Equal(["/v3/mg.test/messages.mime", "/v3/mg.test/messages"], vendor.Calls.Select(call => call.Target));
        var variables = string.Join(',', envelopes.Skip(1).Select((envelope, n) =>
            $$"""
            "a{{n + 1}}@xn--bcher-kva.example":{"postrider_id":"{{envelope.Message}}-0"}
            """));
        Assert.Equal(
        [
            ("from", "Sender <sender@from.test>"), ("to", "\"Ann, 1\" <a1@xn--bcher-kva.example>"),
            ("to", "\"Ann, 2\" <a2@xn--bcher-kva.example>"), ("to", "\"Ann, 3\" <a3@xn--bcher-kva.example>"), ("subject", "Grüße"),
            ("text", "Hello.\n"), ("html", "<p>Hello.</p>"), ("h:Reply-To", "Bo <b@from.test>, c@from.test"), ("h:X-Shop", "7"),
            ("v:postrider_id", "%recipient.postrider_id%"), ("o:suppress-headers", "X-Mailgun-Variables"),
            ("recipient-variables", $"{{{variables}}}"), ("inline", "logo"), ("attachment", "pdf"),
        ], FormReader.Read(vendor.Calls[1].Header("Content-Type"), vendor.Calls[1].Body)!.Select(part => (part.Name, part.Text)));
    }

    public static TheoryData<string, MessageContent> NotToBeShared => new()
    {
        { "a variable in the text", Full with { Text = "Write %recipient.name% for his name" } },
        { "a variable in the HTML", Full with { Html = "<p>%RECIPIENT%</p>" } },
        { "a variable in the subject", Full with { Subject = "100 %recipient_email%" } },
        { "a variable in a header", Full with { Headers = [MessageMaker.Field("X-A", "%recipient.x%")] } },
        { "a variable in an attachment", WithFile(new() { FileName = "a.txt", ContentType = "text/plain", Content = "%recipient%"u8.ToArray() }) },
        { "a field that steers Mailgun", Full with { Headers = [MessageMaker.Field("X-Mailgun-Tag", "a")] } },
        { "a header that is not ASCII", Full with { Headers = [MessageMaker.Field("X-A", "ü")] } },
        { "a header twice", Full with { Headers = [MessageMaker.Field("X-A", "1"), MessageMaker.Field("x-a", "2")] } },
        { "more headers than options may be", Full with { Headers = [MessageMaker.Field("X-A", new string('a', 9_000))] } },
        { "no subject", Full with { Subject = "" } },
        { "no text", Full with { Text = null, Html = "" } },
        { "a file of no type", WithFile(new() { FileName = "a.pdf", Content = "a"u8.ToArray() }) },
        { "a picture that is not named by its id", WithFile(new()
            { FileName = "a.png", ContentType = "image/png", ContentId = "a", Inline = true, Content = "a"u8.ToArray() }) },
        { "a file whose name a form cannot say", WithFile(new()
            { FileName = "a\".txt", ContentType = "text/plain", Content = "a"u8.ToArray() }) },
        { "whole", Envelopes.Content with { Mime = "From: a@from.test\r\nSubject: x\r\n\r\nx"u8.ToArray() } },
    };

    [Theory]
    [MemberData(nameof(NotToBeShared))]
    public async Task What_fields_cannot_say_in_the_same_words_goes_alone_as_MIME(string why, MessageContent content)
    {
        await using var vendor = new GatedVendor(_ => Taken);

        await vendor.SendAsync([.. Enumerable.Range(0, 3).Select(n => Envelopes.With(content, $"a{n}@to.test"))]);

        Assert.True(vendor.Calls.Count(call => call.Target.EndsWith(".mime", StringComparison.Ordinal)) == 3, why);
    }

    [Fact]
    public async Task Several_people_in_one_message_and_a_name_with_a_variable_are_no_batch()
    {
        await using var vendor = new GatedVendor(_ => Taken);

        await vendor.SendAsync(
        [
            Envelopes.To("a@to.test", "b@to.test"), Envelopes.To("a@to.test", "bcc:b@to.test"), Envelopes.To("bcc:a@to.test"),
            Envelopes.To("\"%recipient.x%\" <a@to.test>"), Envelopes.To("b@to.test") with { CommitPoint = _ => ValueTask.FromResult(true) },
            Envelopes.To("b@to.test"),
        ]);

        Assert.Equal(6, vendor.Calls.Count);
        Assert.All(vendor.Calls, call => Assert.EndsWith(".mime", call.Target, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Another_text_is_another_call()
    {
        await using var vendor = new GatedVendor(_ => Taken);

        await vendor.SendAsync([.. Enumerable.Range(0, 9).Select(n => Envelopes.With(
            Envelopes.Content with { Text = $"Hello {n % 3}" }, $"a{n}@to.test"))]);

        Assert.Equal([1, 1, 1, 2, 2, 2], vendor.Calls.Select(call => RecipientsOf(call).Count).Order());
    }

    [Fact]
    public async Task The_same_address_twice_takes_two_calls_since_Mailgun_would_ignore_the_second()
    {
        await using var vendor = new GatedVendor(_ => Taken);

        var outcomes = await vendor.SendAsync(
            [.. new[] { "x@to.test", "a@to.test", "b@to.test", "A@to.test", "a@to.test" }.Select(to => Envelopes.To(to))]);

        Assert.All(outcomes, o => Assert.Equal(Accepted, Assert.Single(o).Kind));
        Assert.Equal([["x@to.test"], ["a@to.test", "b@to.test"], ["A@to.test"], ["a@to.test"]], vendor.Calls.Select(RecipientsOf));
    }

    [Theory]
    [InlineData("'to' parameter is not a valid address. please check documentation", Rejected)]
    [InlineData("Free accounts are for test purposes only. Please upgrade or add the address to authorized recipients", Refused)]
    public async Task One_recipient_for_whose_sake_the_call_is_refused_does_not_stop_the_others(string words, OutcomeKind kind)
    {
        await using var vendor = new GatedVendor(call => RecipientsOf(call).Any(to => to.StartsWith("bad", StringComparison.Ordinal))
            ? new HttpReply(400, MailgunErrorsTests.Error(words)) : Taken);

        var outcomes = await vendor.SendAsync([.. Enumerable.Range(0, 9).Select(n => Envelopes.To(n is 3 or 6 ? $"bad{n}@to.test" : $"a{n}@to.test"))]);

        Assert.Equal(Enumerable.Range(0, 9).Select(n => n is 3 or 6 ? kind : Accepted), outcomes.Select(o => o[0].Kind));
        Assert.Equal(OutcomeScope.Recipient, outcomes[3][0].Scope);
        Assert.Equal(7, vendor.Calls.Where(call => !RecipientsOf(call).Any(to => to.StartsWith("bad", StringComparison.Ordinal)))
            .Sum(call => RecipientsOf(call).Count));
    }

    [Fact]
    public async Task What_Mailgun_does_not_take_as_fields_is_offered_as_MIME()
    {
        await using var vendor = new GatedVendor(call => call.Target.EndsWith(".mime", StringComparison.Ordinal)
            ? Taken : new HttpReply(400, MailgunErrorsTests.Error("recipient-variables: no")));

        var outcomes = await vendor.SendAsync([.. Enumerable.Range(0, 5).Select(n => Envelopes.To($"a{n}@to.test"))]);

        Assert.All(outcomes, o => Assert.Equal(Accepted, o[0].Kind));
    }

    [Fact]
    public async Task An_answer_that_is_lost_leaves_all_of_the_call_unknown()
    {
        await using var vendor = new GatedVendor(call => call.Target.EndsWith(".mime", StringComparison.Ordinal) ? Taken : HttpReply.Cut);

        var outcomes = await vendor.SendAsync([.. Enumerable.Range(0, 4).Select(n => Envelopes.To($"a{n}@to.test"))]);

        Assert.Equal([Accepted, Unknown, Unknown, Unknown], outcomes.Select(o => o[0].Kind));
        Assert.Equal(2, vendor.Calls.Count);
    }

    [Theory]
    [InlineData(null, 100)]
    [InlineData("30", 30)]
    [InlineData("1", 1)]
    [InlineData("5000", 1_000)]
    public async Task A_call_holds_a_hundred_recipients_unless_it_is_said_otherwise(string? coalesce, int most)
    {
        await using var vendor = new GatedVendor(_ => Taken, coalesce is null ? [] : [("coalesce", coalesce)]);

        await vendor.SendAsync([.. Enumerable.Range(0, most * 2 + 2).Select(n => Envelopes.To($"a{n}@to.test"))]);

        Assert.Equal(most, vendor.Calls.Max(call => RecipientsOf(call).Count));
    }

    [Fact]
    public async Task What_our_sender_sends_together_arrives_field_by_field_at_each_of_them()
    {
        var dialect = new MailgunDialect();
        var arrived = new List<SubmissionRequest>();
        await using var vendor = new GatedVendor(call =>
        {
            var (answer, submissions) = Vendors.Accept(dialect, Vendors.Inbound(call));
            arrived.AddRange(submissions.Select(submission => submission.Request));
            return Vendors.Reply(answer);
        });
        var shared = 0;
        for (var seed = 0UL; seed < 1_000; seed++)
        {
            var envelopes = Enumerable.Range(0, 3).Select(n =>
                Envelopes.With(seed == 0 ? Full : Vendors.AnyWrittenContent(seed), n == 1 ? "\"Bø, (B)\" <b@bücher.example>" : $"a{n}@to.test")).ToList();
            if (!MailgunEntry.CanShare(envelopes[0]))
                continue;
            shared++;
            arrived.Clear();

            var outcomes = await vendor.SendAsync(envelopes);

            Assert.All(outcomes, o => Assert.True(o[0].Kind == Accepted, $"seed {seed}: {o[0].Reply.Text}"));
            Assert.Equal(3, arrived.Count);
            foreach (var (envelope, request) in envelopes.Zip(arrived).Skip(1))
            {
                var accepted = Requests.Accepted(request);
                Vendors.AssertSame(envelope.Content, accepted.Content);
                var to = Assert.Single(accepted.Recipients);
                var sent = envelope.Recipients[0].Mailbox;
                Assert.Equal((sent.Address, sent.Name), (to.Mailbox.Address, to.Mailbox.Name));
                Assert.Equal([new MetadataEntry(CarriedId.Name, $"{envelope.Message}-0")], request.Metadata);
            }
        }
        Assert.True(shared >= 50, $"only {shared} of the messages could share a call");
    }

    static MessageContent Full { get; } = Envelopes.Content with
    {
        Subject = "Grüße",
        Html = "<p>Hello.</p>",
        ReplyTo = [Envelopes.Mailbox("Bo <b@from.test>"), Envelopes.Mailbox("c@from.test")],
        Headers = [MessageMaker.Field("X-Shop", "7")],
        Attachments =
        [
            new() { FileName = "logo.png", ContentType = "image/png", ContentId = "logo.png", Inline = true, Content = "logo"u8.ToArray() },
            new() { FileName = "Größe.pdf", ContentType = "application/pdf", Content = "pdf"u8.ToArray() },
        ],
    };

    static MessageContent WithFile(MimeAttachment file) => Full with { Attachments = [file] };

    static List<string> RecipientsOf(HttpCall call) =>
        [.. FormReader.Read(call.Header("Content-Type"), call.Body)!.Where(part => part.Name == "to").Select(part => part.Text)];

    /// <summary>Holds its first answer back until all messages were handed over, so those that may share a call do.</summary>
    sealed class GatedVendor : IAsyncDisposable
    {
        readonly HttpStub _stub;
        readonly IProvider _provider;
        TaskCompletionSource _gate = new();

        public GatedVendor(Func<HttpCall, HttpReply> answer, params (string Name, string Value)[] options)
        {
            _stub = HttpStub.StartAsync(async call =>
            {
                await _gate.Task;
                lock (this)
                    return answer(call);
            });
            _provider = MailgunProviderTests.ProviderAt(_stub, [("calls", "1"), .. options]);
        }

        public IReadOnlyList<HttpCall> Calls => _stub.Calls;

        public async Task<IReadOnlyList<Outcome>[]> SendAsync(IReadOnlyList<OutgoingEnvelope> envelopes)
        {
            _gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var sends = envelopes.Select(envelope => _provider.SendAsync(envelope, CancellationToken.None).AsTask()).ToList();
            _gate.SetResult();
            return await Task.WhenAll(sends);
        }

        public async ValueTask DisposeAsync()
        {
            await _provider.DisposeAsync();
            await _stub.DisposeAsync();
        }
    }
}
