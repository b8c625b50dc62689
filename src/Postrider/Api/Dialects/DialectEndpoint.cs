using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http.Features;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Submission;
using Postrider.Tenants;

namespace Postrider.Api.Dialects;

/// <summary>Takes calls to the vendors' send APIs: finds out who calls, lets the dialect read the call, hands its messages to the
/// submitter, and answers as the vendor does.</summary>
sealed class DialectEndpoint(
    Authenticator authenticator, TenantCalls calls, Submitter submitter, JsonBody bodies, SubmissionOptions options, TimeProvider clock,
    IHostApplicationLifetime lifetime)
{
    /// <summary>Of a call that nobody in particular makes.</summary>
    const long MaxTriedBytes = 1_000_000;

    public async Task ServeAsync(HttpContext context)
    {
        var (dialect, path) = context.Features.GetRequiredFeature<DialectCall>();
        if (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            context.Response.Headers.Connection = "close";
            await ProblemWriter.WriteAsync(context, SubmissionProblems.Draining);
            return;
        }
        var call = InboundCalls.Of(context, path);
        if (dialect.Serves(path) && dialect.ReadCredential(call) is { IsForTrying: true })
        {
            await (await TryAsync(context, dialect, call)).WriteAsync(context);
            return;
        }
        var (caller, problem) = dialect.Serves(path) ? await FindCallerAsync(context, dialect, call) : (null, DialectProblems.NoSuchCall);
        var answer = caller is null ? dialect.Refuse(problem!) : await AnswerAsync(context, dialect, call, caller);
        if (answer.Status >= StatusCodes.Status400BadRequest)
            RequestEndpoints.Note(context, AsProblem(dialect, answer));
        await answer.WriteAsync(context);
    }

    /// <summary>What was answered in the vendor's words.</summary>
    static Problem AsProblem(IDialect dialect, DialectAnswer answer) =>
        new(dialect.Vendor, answer.Status, dialect.Vendor, Encoding.UTF8.GetString(answer.Body.Span));

    /// <summary>Exactly one of the two is null. A signature is yet to be checked: it is made over the body.</summary>
    async ValueTask<(Caller?, Problem?)> FindCallerAsync(HttpContext context, IDialect dialect, InboundCall call)
    {
        var credential = dialect.ReadCredential(call);
        if (credential is null)
            return (null, DialectProblems.MissingCredential);
        Caller caller;
        if (credential.IsSigned)
        {
            if (await authenticator.FindSignerAsync(credential.Key) is not { } signer)
                return (null, TenantProblems.Unauthenticated);
            caller = new Caller(signer.Principal, signer.Secret);
        }
        else
        {
            var authentication = await authenticator.AuthenticateAsync(credential.Key);
            if (authentication.Principal is not { } principal)
                return (null, authentication.Problem);
            context.Features.Set(principal);
            if (calls.Refuse(principal.Tenant) is { } tooMany)
                return (null, tooMany);
            caller = new Caller(principal, Secret: null);
        }
        return caller.Principal.Missing(Scopes.Send) is { } missing ? (null, missing) : (caller, null);
    }

    ValueTask<DialectAnswer> AnswerAsync(HttpContext context, IDialect dialect, InboundCall call, Caller caller) =>
        bodies.ReadBytesAsync(context, body => AnswerReadAsync(context, dialect, call with { Body = body }, caller), dialect.Refuse);

    async Task<DialectAnswer> AnswerReadAsync(HttpContext context, IDialect dialect, InboundCall call, Caller caller)
    {
        var (reading, hash) = Read(context, dialect, call, caller);
        return reading switch
        {
            DialectReading.Answered(var answer) => answer,
            DialectReading.Submit { DryRun: true } submit =>
                await TryAsync(submit, new SubmissionContext(caller.Principal.Tenant, null, default)),
            DialectReading.Submit submit => await SubmitAsync(dialect, submit, ContextOf(dialect, submit, caller, hash)),
            _ => throw new InvalidOperationException($"The dialect of {dialect.Vendor} read something unheard of."),
        };
    }

    Parsed Read(HttpContext context, IDialect dialect, InboundCall call, Caller caller)
    {
        if (caller.Secret is { } secret)
        {
            if (dialect.Verify(call, secret, clock.GetUtcNow()) is { } problem)
                return new Parsed(Refused(dialect, problem), []);
            context.Features.Set(caller.Principal);
            authenticator.NoteUse(caller.Principal);
            if (calls.Refuse(caller.Principal.Tenant) is { } tooMany)
                return new Parsed(Refused(dialect, tooMany), []);
        }
        var reading = dialect.Read(call);
        return new Parsed(reading, reading is DialectReading.Submit { IdempotencyKey: not null } ? Hash(call) : []);
    }

    async Task<DialectAnswer> SubmitAsync(IDialect dialect, DialectReading.Submit submit, SubmissionContext context)
    {
        var entries = Entries(submit);
        var result = entries switch
        {
            [{ Problem: { } problem }] => new SubmissionResult.Refused(problem),
            [{ Request: { } request }] => await submitter.SubmitAsync(request, context, CancellationToken.None),
            _ => await submitter.SubmitManyAsync(entries, context, submit.AllOrNothing, CancellationToken.None),
        };
        return result switch
        {
            SubmissionResult.Accepted(var receipt) => submit.Answer(ReceiptOf(receipt)),
            SubmissionResult.Replayed(var bytes) => DialectAnswers.Kept(bytes),
            SubmissionResult.Refused(var problem) when entries.Count == 1 =>
                submit.Answer(new DialectReceipt(null, [new DialectItem(null, problem)])),
            SubmissionResult.Refused(var problem) when submit.AllOrNothing && problem.Errors.Count > 0 =>
                submit.Answer(new DialectReceipt(null, Apart(problem, entries.Count))),
            SubmissionResult.Refused(var problem) => dialect.Refuse(problem),
            _ => throw new InvalidOperationException($"Unknown result {result.GetType().Name}."),
        };
    }

    /// <summary>Checks by the rules of the first tenant, and stores nothing whatever the call says. Nobody was asked for a key, so no
    /// template of the tenant's is there.</summary>
    ValueTask<DialectAnswer> TryAsync(HttpContext context, IDialect dialect, InboundCall call) => bodies.ReadBytesAsync(
        context, async body => dialect.Read(call with { Body = body }) switch
        {
            DialectReading.Answered(var answer) => answer,
            DialectReading.Submit submit => await TryAsync(
                submit with { Submissions = [.. submit.Submissions.Select(DialectTemplates.WithoutStored)] },
                new SubmissionContext(TenantId.First, null, default)),
            _ => throw new InvalidOperationException($"The dialect of {dialect.Vendor} read something unheard of."),
        }, dialect.Refuse, MaxTriedBytes);

    async Task<DialectAnswer> TryAsync(DialectReading.Submit submit, SubmissionContext context)
    {
        var problems = await submitter.CheckAsync(Entries(submit), context);
        return submit.Answer(new DialectReceipt(null, [.. problems.Select(problem => new DialectItem(null, problem))]));
    }

    List<SubmissionEntry> Entries(DialectReading.Submit submit) =>
        [.. submit.Submissions.Select(submission => DialectTemplates.ToEntry(submission, options))];

    /// <summary>The faults of a call by the message they are in: <c>/1/to/0</c> is the first recipient of the second.</summary>
    static DialectItem[] Apart(Problem problem, int count)
    {
        var items = new DialectItem[count];
        var faults = problem.Errors.Select(error => (Parts: error.Pointer.Split('/', 3), Error: error))
            .GroupBy(fault => fault.Parts is ["", var place, ..] && int.TryParse(place, out var index) && index < count ? index : 0);
        foreach (var group in faults)
        {
            ProblemError[] own = [.. group.Select(f => f.Error with { Pointer = f.Parts.Length > 2 ? "/" + f.Parts[2] : "" })];
            items[group.Key] = new DialectItem(null, problem with { Slug = own[0].Slug, Detail = own[0].Detail, Errors = own });
        }
        return items;
    }

    static DialectReceipt ReceiptOf(SubmissionReceipt receipt) => new(receipt.Batch, [.. receipt.Items.Select(ItemOf)]);

    static DialectItem ItemOf(SubmissionItem item)
    {
        var recipients = item.Message?.Recipients ?? [];
        string[] suppressed = [.. recipients.Where(one => one.State == RecipientState.Suppressed)
            .Select(one => one.Recipient.Mailbox.Address.ToString())];
        return new DialectItem(item.Message?.Id, item.Problem)
        {
            Suppressed = suppressed.Length == 0 ? null : suppressed,
            IsForNobody = suppressed.Length > 0 && suppressed.Length == recipients.Count,
        };
    }

    /// <summary>Keys of different vendors and of our own API are apart; vendors' SDKs make theirs themselves.</summary>
    static SubmissionContext ContextOf(IDialect dialect, DialectReading.Submit submit, Caller caller, byte[] hash) =>
        new(caller.Principal.Tenant, submit.IdempotencyKey is { } key ? $"{dialect.Vendor} {key}" : null, hash)
        {
            Answer = receipt => submit.Answer(ReceiptOf(receipt)).ToBytes(),
        };

    static DialectReading.Answered Refused(IDialect dialect, Problem problem) => new(dialect.Refuse(problem));

    static byte[] Hash(InboundCall call)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{call.Method} {call.Path}\n"));
        hash.AppendData(call.Body.Span);
        return hash.GetHashAndReset();
    }

    /// <summary>Who calls.</summary>
    /// <param name="Secret">Null where the key itself was presented.</param>
    sealed record Caller(Principal Principal, string? Secret);

    /// <summary>What a call was read as.</summary>
    /// <param name="Hash">Empty where the call has no key for repetitions.</param>
    readonly record struct Parsed(DialectReading Reading, byte[] Hash);
}
