using System.Security.Cryptography;
using System.Text;
using Postrider.Engine.Tests.Routing;
using Postrider.Engine.Tests.Storage;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;
using Postrider.Storage.Tables;
using Postrider.Submission;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Submission;

/// <summary>A submitter over a real store in a folder of its own, with the rest of the house as the test wants it.</summary>
sealed class SubmissionHouse : IAsyncDisposable
{
    readonly SqliteUnderTest _under;

    public SubmissionHouse(SubmissionOptions? options = null, RoutingOptions? routing = null, bool withTransport = true)
    {
        _under = new SqliteUnderTest(Clock);
        Lossy = new LossyStore(_under.Store, _under.Reader);
        var faults = new List<string>();
        IReadOnlyList<Transport> transports = withTransport ? [Clock.Transport()] : [];
        Router = new Router(RouteTable.Build(routing ?? new RoutingOptions(), transports, faults));
        Assert.Empty(faults);
        Submitter = new Submitter(Lossy, Lossy, HandOver, new MessageIds(Clock), Clock, options ?? new SubmissionOptions())
        {
            Router = Router,
            Tenants = Tenants = new TenantDirectory(new TenantTable((ITableStore)_under.Store), Clock),
            KeepHeld = (_, id, _, _, held) => Copies.Add((id, [.. held.Select(r => r.Mailbox.Address.ToString())])),
            MaySendFrom = (tenant, from) => MaySendFrom(from.Domain),
        };
    }

    public ManualClock Clock { get; } = new();
    public TenantDirectory Tenants { get; }
    public LossyStore Lossy { get; }
    public RecordingHandOver HandOver { get; } = new();
    public Router Router { get; }
    public Submitter Submitter { get; }
    public List<(MessageId Id, string[] Held)> Copies { get; } = [];
    public Func<string, bool> MaySendFrom { get; set; } = _ => true;

    /// <summary>A context whose answer lists ids and states, so that replays can be compared.</summary>
    public static SubmissionContext With(string? key = null, string request = "request", int tenant = 1) =>
        new(new TenantId(tenant), key, SHA256.HashData(Encoding.UTF8.GetBytes(request)))
        {
            Answer = receipt => Encoding.UTF8.GetBytes(Describe(receipt)),
        };

    public static string Describe(SubmissionReceipt receipt) => string.Join("; ", receipt.Items.Select(item => item.Message is { } message
        ? $"{message.Id} {string.Join(' ', message.Recipients.Select(r => r.State))}"
        : item.Problem!.Slug));

    public Task<SubmissionResult> SubmitAsync(SubmissionRequest request, SubmissionContext? context = null) =>
        Submitter.SubmitAsync(request, context ?? With(), default);

    public async Task<AcceptedMessage> AcceptedAsync(SubmissionRequest request, SubmissionContext? context = null) =>
        Assert.Single(Receipt(await SubmitAsync(request, context)).Items).Message!;

    public static SubmissionReceipt Receipt(SubmissionResult result) => Assert.IsType<SubmissionResult.Accepted>(result).Receipt;
    public static Problem Problem(SubmissionResult result) => Assert.IsType<SubmissionResult.Refused>(result).Problem;

    public async Task<MessageView> ViewAsync(MessageId id, int tenant = 1)
    {
        var view = await Lossy.GetAsync(new TenantId(tenant), id, default);
        Assert.NotNull(view);
        return view;
    }

    public async Task<long> CountAsync(int tenant = 1) => (await Lossy.CountAsync(new TenantId(tenant), default)).Accepted;

    public Task<IReadOnlyList<Lease>> LeaseAsync(
        MailStream stream = MailStream.Transactional, string route = "default", int tenant = 1) =>
        Lossy.LeaseAsync(
            new QueueKey(route, stream, new TenantId(tenant)), 100, new Incarnation(1, 1), Clock.GetUtcNow(), alone: false, default);

    /// <summary>By a bounce, as it happens.</summary>
    public async Task SuppressAsync(string address)
    {
        await AcceptedAsync(Requests.Good with { To = Requests.To(address) });
        var lease = Assert.Single(await LeaseAsync());
        var outcome = new Outcome(OutcomeKind.Rejected, OutcomeScope.Recipient, new Reply(550, "5.1.1", "no such user"));
        await Lossy.RecordAsync(new AttemptRecord
        {
            Lease = lease,
            Attempt = new Attempt { Transport = "a", StartedAt = Clock.GetUtcNow(), Outcomes = [new(0, outcome)] },
            Ends = [new RecipientEnd(0, RecipientState.Bounced, outcome, "no such user", Suppress: true)],
            Continues = [],
        });
    }

    public async ValueTask DisposeAsync()
    {
        Tenants.Dispose();
        Assert.Equal(0, HandOver.Owed);
        Assert.Empty(await _under.OrphansAsync());
        await _under.DisposeAsync();
    }
}
