using System.Text;
using Postrider.Messages;
using Postrider.Providers.Capture;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Providers;

public sealed class CaptureProviderTests
{
    readonly ManualClock _clock = new(Envelopes.At);
    readonly ListInbox _inbox = new();

    CaptureProviderFactory Factory => new(_inbox, _clock);

    static TransportSettings Settings(params (string Name, string Value)[] options) =>
        new() { Name = "capture", Scheme = "capture", Options = options.ToDictionary(option => option.Name, option => option.Value) };

    [Fact]
    public async Task Mail_is_kept_as_it_would_have_left()
    {
        var envelope = Envelopes.New();
        var outcomes = await Factory.Create(Settings()).SendAsync(envelope, default);
        Assert.Equal(3, outcomes.Count);
        Assert.All(outcomes, outcome => Assert.Equal((OutcomeKind.Accepted, "41"), (outcome.Kind, outcome.ProviderId)));
        var (mail, keep) = Assert.Single(_inbox.Added);
        Assert.Equal(10_000, keep);
        Assert.Equal((TenantId.First, envelope.Message, "capture", Envelopes.At), (mail.Tenant, mail.Message, mail.Transport, mail.At));
        Assert.Equal(("shop@example.com", "Shop <shop@example.com>", "Grüße"), (mail.ReversePath, mail.From, mail.Subject));
        Assert.Equal(["ann0@example.net", "cy@example.net", "bo@example.net"], mail.Recipients);
        Assert.Contains("Message-ID: <", Encoding.ASCII.GetString(mail.Mime.Span));
    }

    [Fact]
    public async Task A_refused_commit_point_keeps_nothing()
    {
        var envelope = Envelopes.New() with { CommitPoint = _ => ValueTask.FromResult(false) };
        var outcomes = await Factory.Create(Settings()).SendAsync(envelope, default);
        Assert.All(outcomes, outcome => Assert.True(outcome.KnownUnsent));
        Assert.Empty(_inbox.Added);
    }

    [Fact]
    public async Task The_commit_point_is_passed_before_the_mail_is_kept()
    {
        var before = -1;
        var envelope = Envelopes.New() with
        {
            CommitPoint = _ =>
            {
                before = _inbox.Added.Count;
                return ValueTask.FromResult(true);
            },
        };
        await Factory.Create(Settings()).SendAsync(envelope, default);
        Assert.Equal((0, 1), (before, _inbox.Added.Count));
    }

    [Theory]
    [InlineData(false, OutcomeKind.Unreachable)]
    [InlineData(true, OutcomeKind.Unknown)]
    public async Task An_inbox_that_cannot_be_written_is_an_outcome(bool mayHaveCommitted, OutcomeKind expected)
    {
        _inbox.Fault = new StoreUnavailableException("gone", mayHaveCommitted: mayHaveCommitted);
        var outcomes = await Factory.Create(Settings()).SendAsync(Envelopes.New(), default);
        Assert.All(outcomes, outcome => Assert.Equal(expected, outcome.Kind));
    }

    [Fact]
    public async Task A_full_disk_is_an_outcome()
    {
        _inbox.Fault = new StorageLowException("full");
        Assert.All(await Factory.Create(Settings()).SendAsync(Envelopes.New(), default), outcome =>
            Assert.Equal(OutcomeKind.Unreachable, outcome.Kind));
    }

    [Fact]
    public async Task How_many_are_kept_can_be_said()
    {
        Assert.Empty(Factory.Check(Settings(("keep", "5"))));
        await Factory.Create(Settings(("keep", "5"))).SendAsync(Envelopes.New(), default);
        Assert.Equal(5, Assert.Single(_inbox.Added).Keep);
        Assert.All(["0", "-1", "many", "1000001"], text => Assert.Contains("option 'keep' is a number", Assert.Single(Factory.Check(Settings(("keep", text))))));
    }

    sealed class ListInbox : IInbox
    {
        public List<(NewCapturedMail Mail, int Keep)> Added { get; } = [];
        public Exception? Fault { get; set; }

        public Task<long> AddAsync(NewCapturedMail mail, int keep, CancellationToken ct)
        {
            if (Fault is not null)
                return Task.FromException<long>(Fault);
            Added.Add((mail with { Mime = mail.Mime.ToArray() }, keep));
            return Task.FromResult(41L);
        }

        public Task<IReadOnlyList<CapturedMail>> ListAsync(TenantId tenant, InboxFilter filter, CancellationToken ct) =>
            throw new NotSupportedException();
        public Task<CapturedMail?> GetAsync(TenantId tenant, long id, CancellationToken ct) => throw new NotSupportedException();
        public Task<int> ClearAsync(TenantId tenant, CancellationToken ct) => throw new NotSupportedException();
    }
}
