using Postrider.Engine.Tests.Storage;
using Postrider.Messages;
using Postrider.Providers.Capture;
using Postrider.Storage.Tables;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Providers;

public sealed class SqliteInboxTests : InboxContract
{
    readonly SqliteUnderTest _under = new(new ManualClock());

    protected override IInbox Inbox => new InboxTable(_under.Sqlite);
    protected override Task ReopenAsync() => _under.ReopenAsync();
    public override ValueTask DisposeAsync() => _under.DisposeAsync();
}

public sealed class PostgresInboxTests : InboxContract, IAsyncLifetime
{
    PostgresUnderTest _under = null!;

    public async ValueTask InitializeAsync() => _under = await PostgresUnderTest.OpenAsync(new ManualClock());
    protected override IInbox Inbox => new InboxTable(_under.Postgres);
    protected override Task ReopenAsync() => _under.ReopenAsync();
    public override ValueTask DisposeAsync() => _under.DisposeAsync();
}

/// <summary>What every inbox must do.</summary>
public abstract class InboxContract : IAsyncDisposable
{
    static readonly TenantId Other = new(2);

    protected abstract IInbox Inbox { get; }
    protected abstract Task ReopenAsync();
    public abstract ValueTask DisposeAsync();

    static NewCapturedMail Mail(string subject = "Hello", TenantId? tenant = null, long message = 7, string[]? recipients = null) => new()
    {
        Tenant = tenant ?? TenantId.First,
        Message = new MessageId(message),
        Transport = "capture",
        At = Envelopes.At,
        ReversePath = "bounces@example.com",
        Recipients = recipients ?? ["ann@example.net", "Bö@example.net"],
        From = "Shop <shop@example.com>",
        Subject = subject,
        Mime = "Subject: é\r\n\r\n\0\xFF"u8.ToArray(),
    };

    Task<long> Add(NewCapturedMail mail, int keep = 100) => Inbox.AddAsync(mail, keep, default);

    async Task<string> Subjects(InboxFilter filter, TenantId? tenant = null) =>
        string.Concat((await Inbox.ListAsync(tenant ?? TenantId.First, filter, default)).Select(mail => mail.Subject));

    [Fact]
    public async Task What_is_added_is_read_back_as_it_was_also_after_a_restart()
    {
        var added = Mail();
        var id = await Add(added);
        await ReopenAsync();
        var mail = await Inbox.GetAsync(TenantId.First, id, default);
        Assert.NotNull(mail);
        Assert.Equal((id, TenantId.First, added.Message, "capture", Envelopes.At), (mail.Id, mail.Tenant, mail.Message, mail.Transport, mail.At));
        Assert.Equal((added.ReversePath, added.From, added.Subject, added.Mime.Length),
            (mail.ReversePath, mail.From, mail.Subject, mail.Bytes));
        Assert.Equal(added.Recipients, mail.Recipients);
        Assert.Equal(added.Mime.ToArray(), mail.Mime.ToArray());
    }

    [Fact]
    public async Task The_empty_reverse_path_stays_empty()
    {
        var id = await Add(Mail() with { ReversePath = null });
        Assert.Null((await Inbox.GetAsync(TenantId.First, id, default))!.ReversePath);
    }

    [Fact]
    public async Task Lists_are_newest_first_without_the_bytes_and_paged_by_id()
    {
        foreach (var subject in "abcde")
            await Add(Mail(subject.ToString()));
        var page = await Inbox.ListAsync(TenantId.First, new InboxFilter { Limit = 2 }, default);
        Assert.Equal("ed", string.Concat(page.Select(mail => mail.Subject)));
        Assert.All(page, mail => Assert.True(mail.Mime.IsEmpty && mail.Bytes > 0));
        Assert.Equal("cb", await Subjects(new InboxFilter { Limit = 2, Before = page[^1].Id }));
        Assert.Equal("edcba", await Subjects(new InboxFilter()));
    }

    [Fact]
    public async Task Lists_are_filtered_by_message_and_by_recipient()
    {
        await Add(Mail("a", message: 1, recipients: ["ann@example.net"]));
        await Add(Mail("b", message: 2, recipients: ["Joann@example.net", "CY@example.net"]));
        await Add(Mail("c", message: 2, recipients: ["ann@example.net.test"]));
        Assert.Equal("cb", await Subjects(new InboxFilter { Message = new MessageId(2) }));
        Assert.Equal("a", await Subjects(new InboxFilter { Recipient = "ANN@example.net" }));
        Assert.Equal("b", await Subjects(new InboxFilter { Recipient = "cy@example.net", Message = new MessageId(2) }));
        Assert.Equal("", await Subjects(new InboxFilter { Recipient = "' OR 1=1 --" }));
    }

    [Fact]
    public async Task One_tenant_never_sees_or_clears_the_mail_of_another()
    {
        var id = await Add(Mail("theirs", Other));
        await Add(Mail("ours"));
        Assert.Null(await Inbox.GetAsync(TenantId.First, id, default));
        Assert.Equal("ours", await Subjects(new InboxFilter()));
        Assert.Equal(1, await Inbox.ClearAsync(TenantId.First, default));
        Assert.Equal("", await Subjects(new InboxFilter()));
        Assert.Equal("theirs", await Subjects(new InboxFilter(), Other));
    }

    [Fact]
    public async Task Only_the_newest_are_kept()
    {
        foreach (var subject in "abcde")
            await Add(Mail(subject.ToString()), keep: 3);
        Assert.Equal("edc", await Subjects(new InboxFilter()));
    }

    [Fact]
    public async Task A_number_is_never_given_again()
    {
        var first = await Add(Mail());
        await Inbox.ClearAsync(TenantId.First, default);
        await ReopenAsync();
        Assert.True(await Add(Mail()) > first);
    }
}
