using System.ComponentModel;
using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Delivery;
using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Routing;
using Postrider.Senders;
using Postrider.Submission;
using Postrider.Tenants;

namespace Postrider.Api;

/// <summary><c>POST /transports/{name}/test</c>: one mail through exactly one transport, and what the other side said.</summary>
static class TransportTestEndpoint
{
    public static void MapTransportTest(this IEndpointRouteBuilder app) =>
        app.MapPost("/transports/{name}/test", TestAsync).For(Access.Manage)
            .Takes<TransportTestShape>().Answers<TransportTestAnswer>(200)
            .Says("testTransport",
                "Sends one mail through this transport, past the queue, and tells what the other side said. Nothing is stored.",
                """{"to":"you@example.com"}""",
                "malformed-json", "unsupported-media-type", "unknown-field", "invalid-field", "invalid-address", "not-found", "installation-only", "unverified-sender");

    static async Task<Results<JsonHttpResult<TransportTestAnswer>, ProblemResult>> TestAsync(
        string name, HttpContext context, JsonBody bodies, Router router, TransportTest test, CancellationToken ct)
    {
        if (RoutingChanges.MayNotUse(context.Caller, router, name) is { } denied)
            return new ProblemResult(denied);
        var body = await bodies.ReadAsync<TestRequest>(context, TestReader.Read);
        if (body.Value is not { } request)
            return new ProblemResult(body.Problem!);
        var result = await test.RunAsync(context.Caller, name, request, ct);
        return result.Answer is { } answer ? ApiJson.Answer(answer) : new ProblemResult(result.Problem!);
    }
}

/// <summary>Tests transports for whoever asks and may.</summary>
sealed class TransportTest(Router router, TransportProbe probe, SubmissionOptions submission, SenderDomains domains)
{
    public async Task<TransportTestResult> RunAsync(Principal caller, string name, TestRequest request, CancellationToken ct)
    {
        if (RoutingChanges.MayNotUse(caller, router, name) is { } denied)
            return new TransportTestResult(null, denied);
        // A staging system tests with the addresses that it may write to.
        if (!AllowedRecipients.Parse(submission.AllowRecipients, out _).Includes(request.To.Address))
            return new TransportTestResult(null, ProblemCatalog.Make("invalid-address",
                "POSTRIDER_ALLOW_RECIPIENTS does not let mail leave for this address."));
        if (!domains.MaySend(caller.Tenant, request.From.Address))
            return new TransportTestResult(null, ProblemCatalog.Make(
                "unverified-sender", $"The domain '{request.From.Address.Domain}' is not verified for sending: give another from."));
        if (await probe.SendAsync(name, caller.Tenant, request.From, request.To, ct) is not { } result)
            return new TransportTestResult(null, ProblemCatalog.Make("not-found", "There is no such transport."));
        var (outcome, reply) = (result.Outcome, result.Outcome.Reply);
        return new TransportTestResult(new TransportTestAnswer(name, outcome.Kind, reply.Code == 0 ? null : reply.Code, reply.Enhanced,
            reply.Text, (long)result.Duration.TotalMilliseconds), null);
    }
}

/// <summary>What a test came to; exactly one is set.</summary>
readonly record struct TransportTestResult(TransportTestAnswer? Answer, Problem? Problem);

/// <summary>Who the test mail is to and from.</summary>
sealed record TestRequest(Mailbox To, Mailbox From);

/// <summary>Reads what is to be tested.</summary>
static class TestReader
{
    public static TestRequest? Read(JsonElement body, out Problem? problem)
    {
        var faults = new ShapeFaults();
        Mailbox? to = null;
        Mailbox? from = null;
        if (faults.IsObject(body, ""))
            foreach (var member in body.EnumerateObject())
                switch (member.Name)
                {
                    case "to": to = Address(member.Value, "/to", faults); break;
                    case "from": from = Address(member.Value, "/from", faults); break;
                    default: faults.Unknown(ShapeFaults.Below("", member.Name)); break;
                }
        if (to is null && !faults.Any)
            faults.Add("/to", "invalid-address", "Say where the test mail goes.");
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? new TestRequest(to!, from ?? to!) : null;
    }

    static Mailbox? Address(JsonElement value, string pointer, ShapeFaults faults)
    {
        if (faults.Text(value, pointer) is not { } text)
            return null;
        if (Mailbox.TryParse(text, out var mailbox, out _))
            return mailbox;
        faults.Add(pointer, "invalid-address", "This is not an address that mail can be sent to.");
        return null;
    }
}

/// <summary>What the test takes.</summary>
sealed record TransportTestShape
{
    [Description("Where the mail goes.")]
    public required string To { get; init; }
    [Description("Its sender; the same address when left out.")]
    public string? From { get; init; }
}
