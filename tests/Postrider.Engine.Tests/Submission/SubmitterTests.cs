using System.Text;
using System.Text.Json;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;
using Postrider.Submission;
using Xunit;
using static Postrider.Engine.Tests.Submission.Requests;
using static Postrider.Engine.Tests.Submission.SubmissionHouse;

namespace Postrider.Engine.Tests.Submission;

/// <summary>What is stored, and what the caller hears of it.</summary>
public sealed class SubmitterTests : IAsyncDisposable
{
    readonly SubmissionHouse _house = new();

    public ValueTask DisposeAsync() => _house.DisposeAsync();

    [Fact]
    public async Task A_message_is_stored_before_it_is_accepted()
    {
        var message = await _house.AcceptedAsync(Good with
        {
            Cc = To("bob@example.com"),
            Tags = ["welcome"],
            Metadata = [new("order", "4711")],
            OrderingKey = "ann",
        });
        Assert.Equal([RecipientState.Queued, RecipientState.Queued], message.Recipients.Select(r => r.State));
        var view = await _house.ViewAsync(message.Id);
        Assert.Equal(("Hello", "default", MailStream.Transactional), (view.Subject, view.Route, view.Stream));
        Assert.Equal([("ann@example.com", RecipientKind.To), ("bob@example.com", RecipientKind.Cc)],
            view.Recipients.Select(r => (r.Mailbox.ToString(), r.Kind)));
        Assert.Equal(["welcome"], view.Tags);
        Assert.Equal([new MetadataEntry("order", "4711")], view.Metadata);
        Assert.Equal("Hello Ann", (await _house.Lossy.GetContentAsync(TenantId.First, message.Id, default))?.Text);
        Assert.Equal((new QueueKey("default", MailStream.Transactional, TenantId.First), _house.Clock.GetUtcNow()),
            Assert.Single(_house.HandOver.Signals));
    }

    [Fact]
    public async Task What_is_refused_is_not_stored()
    {
        Assert.Equal("no-recipients", Problem(await _house.SubmitAsync(Good with { To = [] }, With("key"))).Slug);
        Assert.Equal(0, await _house.CountAsync());
        Assert.Equal(0, _house.Lossy.Accepts);
        // The key is still free.
        await _house.AcceptedAsync(Good, With("key", "another"));
    }

    [Fact]
    public async Task A_message_for_later_is_scheduled()
    {
        var at = _house.Clock.GetUtcNow().AddHours(2);
        var text = at.ToString("O", System.Globalization.CultureInfo.InvariantCulture);
        var message = await _house.AcceptedAsync(Good with { SendAt = text });
        Assert.Equal(RecipientState.Scheduled, Assert.Single(message.Recipients).State);
        Assert.Equal(at, (await _house.ViewAsync(message.Id)).SendAt);
        Assert.Equal(at, Assert.Single(_house.HandOver.Signals).DueAt);
        Assert.Empty(await _house.LeaseAsync());
    }

    [Fact]
    public async Task The_same_key_and_request_get_the_same_answer_and_nothing_new()
    {
        var first = await _house.AcceptedAsync(Good, With("key"));
        _house.Clock.Advance(TimeSpan.FromHours(71));
        var again = Assert.IsType<SubmissionResult.Replayed>(await _house.SubmitAsync(Good, With("key")));
        Assert.Equal($"{first.Id} Queued", System.Text.Encoding.UTF8.GetString(again.Answer.Span));
        Assert.Equal(1, await _house.CountAsync());
        Assert.Single(_house.HandOver.Signals);
        _house.Clock.Advance(TimeSpan.FromHours(2));
        Assert.NotEqual(first.Id, (await _house.AcceptedAsync(Good, With("key"))).Id);
    }

    [Fact]
    public async Task The_same_key_with_another_request_is_a_conflict()
    {
        await _house.AcceptedAsync(Good, With("key"));
        var problem = Problem(await _house.SubmitAsync(Good, With("key", "another")));
        Assert.Equal(("idempotency-mismatch", 409), (problem.Slug, problem.Status));
        Assert.Equal(1, await _house.CountAsync());
    }

    [Fact]
    public async Task The_same_key_of_another_tenant_is_another_key()
    {
        await _house.AcceptedAsync(Good, With("key"));
        await _house.AcceptedAsync(Good, With("key", "another", tenant: 2));
        Assert.Equal((1, 1), (await _house.CountAsync(1), await _house.CountAsync(2)));
    }

    [Fact]
    public async Task A_hundred_calls_at_once_with_one_key_make_one_message_and_one_answer()
    {
        _house.HandOver.Permits = 100;
        var start = new TaskCompletionSource();
        var calls = Enumerable.Range(0, 100).Select(_ => Task.Run(async () =>
        {
            await start.Task;
            return await _house.SubmitAsync(Good, With("key"));
        })).ToList();
        start.SetResult();
        var results = await Task.WhenAll(calls);

        var answers = results.Select(r => r is SubmissionResult.Accepted accepted ? Describe(accepted.Receipt)
            : System.Text.Encoding.UTF8.GetString(Assert.IsType<SubmissionResult.Replayed>(r).Answer.Span));
        Assert.Single(answers.Distinct());
        Assert.Single(results.OfType<SubmissionResult.Accepted>());
        Assert.Equal(1, await _house.CountAsync());
        Assert.Single(_house.HandOver.Started);
        Assert.Equal(99, _house.HandOver.Returned);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a\nb")]
    [InlineData("a\0")]
    [InlineData("schlüssel")]
    [InlineData(null)]      // 256 characters
    public async Task A_key_that_is_none_is_refused(string? key)
    {
        var problem = Problem(await _house.SubmitAsync(Good, With(key ?? new string('k', 256))));
        Assert.Equal(("invalid-idempotency-key", 400), (problem.Slug, problem.Status));
        await _house.AcceptedAsync(Good, With(new string('k', 255)));
    }

    [Fact]
    public async Task A_key_without_an_answer_to_keep_is_a_mistake_of_the_entrance() =>
        await Assert.ThrowsAsync<ArgumentException>(() => _house.SubmitAsync(Good, With("key") with { Answer = null }));

    [Fact]
    public async Task A_suppressed_recipient_is_told_and_kept_in_the_answer()
    {
        await _house.SuppressAsync("bad@example.com");
        var request = Good with { To = To("ann@example.com", "bad@example.com") };
        var message = await _house.AcceptedAsync(request, With("key"));
        Assert.Equal([RecipientState.Queued, RecipientState.Suppressed], message.Recipients.Select(r => r.State));
        var again = Assert.IsType<SubmissionResult.Replayed>(await _house.SubmitAsync(request, With("key")));
        Assert.Equal($"{message.Id} Queued Suppressed", System.Text.Encoding.UTF8.GetString(again.Answer.Span));
    }

    [Fact]
    public async Task A_message_with_a_permit_is_born_leased_and_started_once_it_is_stored()
    {
        _house.HandOver.Permits = 1;
        var message = await _house.AcceptedAsync(Good);
        var lease = Assert.Single(_house.HandOver.Started);
        Assert.Equal((message.Id, RecordingHandOver.Owner, 1), (lease.Message.Id, lease.Owner, lease.Envelope.Claim));
        Assert.Empty(_house.HandOver.Signals);
        Assert.Equal(RecipientState.Leased, Assert.Single((await _house.ViewAsync(message.Id)).Recipients).State);
        // The claim is the store's: an outcome under it is applied.
        var outcome = new Outcome(OutcomeKind.Accepted, OutcomeScope.Recipient, new Reply(250, null, "ok"));
        Assert.Equal(RecordResult.Applied, await _house.Lossy.RecordAsync(new AttemptRecord
        {
            Lease = lease,
            Attempt = new Attempt { Transport = "a", StartedAt = _house.Clock.GetUtcNow(), Outcomes = [new(0, outcome)] },
            Ends = [new RecipientEnd(0, RecipientState.Sent, outcome, "ok")],
            Continues = [],
        }));
    }

    [Fact]
    public async Task What_must_wait_asks_for_no_permit()
    {
        _house.HandOver.Permits = 10;
        await _house.AcceptedAsync(Good with { SendAt = "2026-06-01T00:00:00Z" });
        await _house.AcceptedAsync(Good with { OrderingKey = "ann" });
        await _house.AcceptedAsync(Good with { OnAmbiguous = "hold", To = To("a@example.com", "b@example.com") });
        Assert.Equal(10, _house.HandOver.Permits);
        Assert.Empty(_house.HandOver.Started);
    }

    [Fact]
    public async Task A_permit_for_a_suppressed_recipient_is_returned()
    {
        await _house.SuppressAsync("bad@example.com");
        _house.HandOver.Permits = 2;
        await _house.AcceptedAsync(Good with { To = To("bad@example.com") });
        Assert.Equal(1, _house.HandOver.Returned);
        await _house.AcceptedAsync(Good with { To = To("bad@example.com", "ann@example.com") });
        Assert.Equal([1], Assert.Single(_house.HandOver.Started).Recipients.Select(r => r.N));
    }

    [Fact]
    public async Task Many_messages_are_one_batch_and_faulty_ones_are_left_out()
    {
        var entries = new SubmissionEntry[] { new(Good), new(Good with { To = [] }), new(new Problem("unknown-field", 422, "t", "d")),
            new(Good with { Subject = "Last" }) };
        var receipt = Receipt(await _house.Submitter.SubmitManyAsync(entries, With("key"), allOrNothing: false, default));
        Assert.Equal([null, "no-recipients", "unknown-field", null], receipt.Items.Select(i => i.Problem?.Slug));
        Assert.Equal((receipt.Batch!.Value.Plus(1), receipt.Batch.Value.Plus(2)),
            (receipt.Items[0].Message!.Id, receipt.Items[3].Message!.Id));
        Assert.Equal("Last", (await _house.ViewAsync(receipt.Items[3].Message!.Id)).Subject);
        Assert.Equal(2, (await _house.Lossy.GetBatchAsync(TenantId.First, receipt.Batch.Value, default))?.Count);
        var again = await _house.Submitter.SubmitManyAsync(entries, With("key"), allOrNothing: false, default);
        Assert.Equal(Describe(receipt), System.Text.Encoding.UTF8.GetString(Assert.IsType<SubmissionResult.Replayed>(again).Answer.Span));
        Assert.Equal(2, await _house.CountAsync());
    }

    [Fact]
    public async Task All_or_nothing_refuses_all_and_names_every_fault()
    {
        var entries = new SubmissionEntry[] { new(Good), new(Good with { To = To("bad"), Subject = "a\nb" }),
            new(new Problem("unknown-field", 422, "t", "d")) };
        var problem = Problem(await _house.Submitter.SubmitManyAsync(entries, With(), allOrNothing: true, default));
        Assert.Equal(["/1/subject", "/1/to/0", "/2"], problem.Errors.Select(e => e.Pointer).Order());
        Assert.Equal(0, await _house.CountAsync());
    }

    [Fact]
    public async Task A_batch_of_nothing_good_is_answered_and_not_stored()
    {
        var receipt = Receipt(await _house.Submitter.SubmitManyAsync([new(Good with { From = null })], With("key"), allOrNothing: false,
            default));
        Assert.Null(receipt.Batch);
        Assert.Equal("invalid-address", Assert.Single(receipt.Items).Problem?.Slug);
        Assert.Equal(0, _house.Lossy.Accepts);
    }

    // One body of some megabytes can stand for a thousand messages, each with the same attachment.
    [Fact]
    public async Task The_messages_of_one_call_are_bounded_together()
    {
        await using var house = new SubmissionHouse(new SubmissionOptions { MaxBytesPerCall = 3_000_000 });
        var large = Good with { Attachments = [new AttachmentText("a.bin", null, Convert.ToBase64String(new byte[1_000_000]), null)] };
        SubmissionEntry[] Entries(int count) => [.. Enumerable.Repeat(new SubmissionEntry(large), count)];

        Receipt(await house.Submitter.SubmitManyAsync(Entries(2), With(), false, default));
        Assert.Equal(("too-large", 413),
            Problem(await house.Submitter.SubmitManyAsync(Entries(3), With(), true, default)) is var problem
                ? (problem.Slug, problem.Status) : default);
        Assert.All(await house.Submitter.CheckAsync(Entries(3), With()), one => Assert.Equal("too-large", one?.Slug));
        Assert.Equal(2, await house.CountAsync());
    }

    [Fact]
    public async Task Calls_have_limits()
    {
        Assert.Equal("no-recipients", Problem(await _house.Submitter.SubmitManyAsync([], With(), false, default)).Slug);
        SubmissionEntry[] Entries(int count, SubmissionRequest request) => [.. Enumerable.Repeat(new SubmissionEntry(request), count)];
        Assert.Equal("too-many-messages",
            Problem(await _house.Submitter.SubmitManyAsync(Entries(1_001, Good), With(), false, default)).Slug);
        var wide = Good with { To = To([.. Enumerable.Range(0, 1_000).Select(i => $"r{i}@example.com")]) };
        Assert.Equal("too-many-messages", Problem(await _house.Submitter.SubmitManyAsync(Entries(21, wide), With(), false, default)).Slug);
        var destinations = Enumerable.Repeat(new Destination(new AddressText("a@example.com")), 10_001).ToList();
        Assert.Equal("too-many-messages",
            Problem(await _house.Submitter.SubmitToDestinationsAsync(Good with { To = [] }, destinations, With(), default)).Slug);
        Assert.Equal(0, await _house.CountAsync());
    }

    [Fact]
    public async Task Each_destination_gets_a_message_of_its_own()
    {
        Destination[] destinations =
            [new(new AddressText("ann@example.com", "Ann", IsAddressOnly: true)), new(new AddressText("bob@example.com")), new(new AddressText("ann@example.com"))];
        var receipt = Receipt(await _house.Submitter.SubmitToDestinationsAsync(Good with { To = [] }, destinations, With(), default));
        Assert.Equal([1, 2, 3], receipt.Items.Select((item, i) => item.Message!.Id == receipt.Batch!.Value.Plus(i + 1) ? i + 1 : 0));
        var view = await _house.ViewAsync(receipt.Items[0].Message!.Id);
        Assert.Equal(("Ann <ann@example.com>", MailStream.Bulk, receipt.Batch),
            (Assert.Single(view.Recipients).Mailbox.ToString(), view.Stream, view.Batch));
        Assert.Equal("Hello Ann", (await _house.Lossy.GetContentAsync(TenantId.First, receipt.Items[2].Message!.Id, default))?.Text);
        Assert.Equal(3, await _house.CountAsync());
        Assert.Single(_house.HandOver.Signals);
        Assert.Equal(3, (await _house.LeaseAsync(MailStream.Bulk)).Count);
    }

    [Fact]
    public async Task Bad_destinations_refuse_the_call()
    {
        using var data = JsonDocument.Parse("""{"name":"Ann"}""");
        Destination[] destinations =
            [new(new AddressText("ann@example.com")), new(new AddressText("bad", "x", IsAddressOnly: true)), new(new AddressText("a@example.com"), data.RootElement)];
        var problem = Problem(await _house.Submitter.SubmitToDestinationsAsync(Good, destinations, With(), default));
        Assert.Equal(["/destinations/1/email", "/destinations/2/data", "/to"], problem.Errors.Select(e => e.Pointer).Order());
        Assert.Equal("no-recipients",
            Problem(await _house.Submitter.SubmitToDestinationsAsync(Good with { To = [] }, [], With(), default)).Slug);
        Assert.Equal(0, await _house.CountAsync());
    }

    [Fact]
    public async Task A_sender_that_is_not_verified_is_refused_where_that_is_asked_for()
    {
        _house.MaySendFrom = domain => domain == "verified.example";
        var problem = Problem(await _house.SubmitAsync(Good));
        Assert.Equal(("unverified-sender", 403, "/from"), (problem.Slug, problem.Status, Assert.Single(problem.Errors).Pointer));
        Assert.Equal(403, Problem(await _house.Submitter.SubmitToDestinationsAsync(Good with { To = [] },
            [new(new AddressText("a@example.com"))], With(), default)).Status);
        await _house.AcceptedAsync(Good with { From = new AddressText("me@verified.example") });
    }

    [Fact]
    public async Task Whom_a_whole_message_names_as_its_sender_must_be_verified_too()
    {
        _house.MaySendFrom = domain => domain == "verified.example";
        SubmissionRequest From(string sender) => new()
        {
            Mime = Encoding.ASCII.GetBytes($"From: me@verified.example\r\nSender: {sender}\r\n\r\nHello.\r\n"),
            To = To("ann@example.com"),
        };

        Assert.Equal("unverified-sender", Problem(await _house.SubmitAsync(From("ceo@bank.example"))).Slug);
        await _house.AcceptedAsync(From("office@verified.example"));
    }
}

/// <summary>Submitters that are set up otherwise.</summary>
public sealed class SubmitterSetupTests
{
    [Fact]
    public async Task Recipients_that_staging_does_not_allow_are_held_and_a_copy_is_kept()
    {
        await using var house = new SubmissionHouse(new SubmissionOptions { AllowRecipients = "*@example.com" });
        house.HandOver.Permits = 5;
        var mixed = await house.AcceptedAsync(Good with { To = To("real@customer.com", "ann@example.com") });
        Assert.Equal([RecipientState.Held, RecipientState.Queued], mixed.Recipients.Select(r => r.State));
        Assert.Equal((RecipientState.Held, HeldReason.NotAllowed),
            ((await house.ViewAsync(mixed.Id)).Recipients[0].State, (await house.ViewAsync(mixed.Id)).Recipients[0].HeldReason));
        Assert.Equal(["ann@example.com"], Assert.Single(house.HandOver.Started).Recipients.Select(r => r.Mailbox.ToString()));

        var held = await house.AcceptedAsync(Good with { To = To("real@customer.com") });
        Assert.Empty(await house.LeaseAsync());
        var allowed = await house.AcceptedAsync(Good);
        Assert.Equal([mixed.Id, held.Id], house.Copies.Select(c => c.Id));
        Assert.All(house.Copies, copy => Assert.Equal(["real@customer.com"], copy.Held));
        Assert.NotEqual(default, allowed.Id);

        var batch = Receipt(await house.Submitter.SubmitToDestinationsAsync(Good with { To = [] },
            [new(new AddressText("real@customer.com")), new(new AddressText("ann@example.com"))], With(), default));
        Assert.Equal([RecipientState.Held, RecipientState.Queued], batch.Items.Select(i => i.Message!.Recipients[0].State));
        Assert.Equal(3, house.Copies.Count);
    }

    [Fact]
    public async Task Without_a_transport_mail_is_refused_and_told_what_to_set()
    {
        await using var house = new SubmissionHouse(withTransport: false);
        var problem = Problem(await house.SubmitAsync(Good));
        Assert.Equal(("no-transport", 503), (problem.Slug, problem.Status));
        Assert.Contains("POSTRIDER_TRANSPORTS", problem.Detail, StringComparison.Ordinal);
        Assert.NotNull(problem.RetryAfter);
        Assert.Equal(503, Problem(await house.Submitter.SubmitManyAsync([new(Good)], With(), false, default)).Status);
        Assert.Equal(503, Problem(await house.Submitter.SubmitManyAsync([new(Good)], With(), true, default)).Status);
        Assert.Equal(503, Problem(await house.Submitter.SubmitToDestinationsAsync(Good with { To = [] },
            [new(new AddressText("a@example.com"))], With(), default)).Status);
    }

    [Fact]
    public async Task Messages_take_the_route_that_they_name_or_that_a_rule_chooses()
    {
        var routing = new RoutingOptions();
        routing.Routes["bulk"] = new RouteOptions { OnAmbiguous = "hold" };
        routing.Rules.Add(new RouteRuleOptions { Route = "bulk", RecipientDomain = "lists.example" });
        await using var house = new SubmissionHouse(routing: routing);
        async Task<string> RouteAsync(SubmissionRequest request) => (await house.ViewAsync((await house.AcceptedAsync(request)).Id)).Route;

        Assert.Equal("default", await RouteAsync(Good));
        Assert.Equal("bulk", await RouteAsync(Good with { Route = "bulk" }));
        Assert.Equal("bulk", await RouteAsync(Good with { To = To("a@lists.example") }));
        Assert.Equal(AmbiguityPolicy.Hold, (await house.LeaseAsync(route: "bulk"))[0].Envelope.OnAmbiguous);
        Assert.Equal(AmbiguityPolicy.Retry, Assert.Single(await house.LeaseAsync()).Envelope.OnAmbiguous);
        var problem = Problem(await house.SubmitAsync(Good with { Route = "none" }));
        Assert.Equal(("invalid-field", "/route"), (problem.Slug, Assert.Single(problem.Errors).Pointer));

        var batch = Receipt(await house.Submitter.SubmitToDestinationsAsync(
            Good with { To = [] }, [new(new AddressText("a@lists.example")), new(new AddressText("a@example.com"))], With(), default));
        Assert.Equal("bulk", (await house.ViewAsync(batch.Items[0].Message!.Id)).Route);
        Assert.Equal("default", (await house.ViewAsync(batch.Items[1].Message!.Id)).Route);
        Assert.Equal(["bulk", "default"], house.HandOver.Signals.TakeLast(2).Select(s => s.Key.Route));
    }
}
