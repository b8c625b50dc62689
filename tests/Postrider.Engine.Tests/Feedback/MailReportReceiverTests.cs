using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Feedback;
using Postrider.Mail.Smtp.Server;
using Postrider.Messages;
using Postrider.Providers.Smtp;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Feedback;

/// <summary>Reports by mail come from anybody: what one of them may cost is bounded.</summary>
public sealed class MailReportReceiverTests
{
    readonly ManualClock _clock = new();
    readonly CountingStore _store = new();
    readonly ReturnPaths _paths;
    readonly MailReportReceiver _receiver;

    public MailReportReceiverTests()
    {
        _paths = new ReturnPaths([7, 7, 7], "bounces.example.com", _clock);
        var feedback = new FeedbackReceiver(_store, _clock, new FeedbackMetrics(), NullLogger<FeedbackReceiver>.Instance);
        _receiver = new MailReportReceiver(feedback, _paths, _clock, NullLogger<MailReportReceiver>.Instance);
    }

    [Fact]
    public async Task A_forged_report_on_many_recipients_is_one_entry_of_the_quarantine()
    {
        var forged = new ReturnPaths([1, 2, 3], "bounces.example.com", _clock).Make(MessageId.Create(1, 1, 0), 0);

        Assert.Equal(250, (await _receiver.TakeAsync(Mail(forged, 900), default)).Code);

        Assert.Equal([1], _store.Quarantined);
        Assert.Empty(_store.Applied);
    }

    [Fact]
    public async Task A_report_to_the_return_path_of_one_recipient_is_not_believed_of_many()
    {
        Assert.Equal(250, (await _receiver.TakeAsync(Mail(_paths.Make(MessageId.Create(1, 1, 0), 0), 900), default)).Code);

        Assert.Equal([10], _store.Applied);
    }

    [Fact]
    public async Task A_report_on_many_recipients_of_one_message_takes_few_transactions()
    {
        Assert.Equal(250, (await _receiver.TakeAsync(Mail(_paths.Make(MessageId.Create(1, 1, 0), null), 900), default)).Code);

        Assert.Equal(900, _store.Applied.Sum());
        Assert.True(_store.Applied.Count < 20, $"{_store.Applied.Count} transactions");
    }

    static SmtpReceivedMail Mail(Mail.Addresses.EmailAddress to, int recipients)
    {
        var text = new StringBuilder("From: <>\r\nMIME-Version: 1.0\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a.test\r\n\r\n");
        for (var i = 0; i < recipients; i++)
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"Final-Recipient: rfc822;r{i}@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n");
        return new SmtpReceivedMail
        {
            From = new SmtpMailFrom(),
            Recipients = [new SmtpRecipient { Address = to }],
            Content = Encoding.ASCII.GetBytes(text.ToString()),
        };
    }

    /// <summary>Notes how many reports each of its transactions had.</summary>
    sealed class CountingStore : IFeedbackStore
    {
        public List<int> Applied { get; } = [];
        public List<int> Quarantined { get; } = [];

        public Task<IReadOnlyList<FeedbackResult>> ApplyAsync(IReadOnlyList<FeedbackReport> reports, DateTimeOffset now,
            CancellationToken ct)
        {
            Applied.Add(reports.Count);
            return Task.FromResult<IReadOnlyList<FeedbackResult>>([.. reports.Select(_ => FeedbackResult.Noted)]);
        }

        public Task QuarantineAsync(IReadOnlyList<FeedbackReport> reports, QuarantineReason reason, DateTimeOffset now,
            CancellationToken ct)
        {
            Quarantined.Add(reports.Count);
            return Task.CompletedTask;
        }

        public Task<MessageId?> FindAsync(
            TenantId? owner, string transport, string providerId, string address, DateTimeOffset at, CancellationToken ct) =>
            throw new NotSupportedException();

        public Task<IReadOnlyList<FeedbackReport>> WaitingAsync(DateTimeOffset now, int limit, CancellationToken ct) =>
            throw new NotSupportedException();

        public Task<IReadOnlyList<DoubtfulEnvelope>> DoubtfulAsync(DateTimeOffset dueBefore, int limit, CancellationToken ct) =>
            throw new NotSupportedException();

        public Task<QuarantinePage> ListQuarantineAsync(long? before, int limit, CancellationToken ct) => throw new NotSupportedException();
    }
}
