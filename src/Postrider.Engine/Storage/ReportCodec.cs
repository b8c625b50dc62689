using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Providers;

namespace Postrider.Storage;

/// <summary>The stored form of a report that waits or is in quarantine: a version byte, then fields in a fixed order.</summary>
static class ReportCodec
{
    const byte Version = 1;

    public static void Write(FieldWriter to, FeedbackReport report)
    {
        var e = report.Event;
        to.Byte(Version);
        to.Text(report.Vendor);
        Optional(to, report.Transport);
        to.Number((ulong)(report.Message is { } message ? message.Value + 1 : 0));
        to.Number(report.N is { } n ? n + 1 : 0);
        to.Byte((byte)e.Kind);
        to.Text(e.Type);
        to.Text(e.Key);
        to.Number((ulong)Math.Max(0, e.At.ToUnixTimeMilliseconds()));
        to.Byte(e.IsMachine ? (byte)1 : (byte)0);
        foreach (var text in (string?[])[e.CarriedId, e.ProviderId, e.Address, e.Suppressed, e.Url, e.UserAgent, e.Ip])
            Optional(to, text);
        to.Byte(e.Reply is null ? (byte)0 : (byte)1);
        if (e.Reply is { } reply)
        {
            to.Number(Math.Max(0, reply.Code));
            Optional(to, reply.Enhanced);
            to.Text(reply.Text);
        }
    }

    public static FeedbackReport Read(ReadOnlyMemory<byte> data, long? waitingId)
    {
        var from = new FieldReader(data);
        if (from.Byte() is not Version and var version)
            throw new InvalidDataException(
                $"A stored report has format {version}, made by a newer Postrider; this one knows up to {Version}.");
        var (vendor, transport) = (from.Text(), Optional(ref from));
        var (message, n) = ((long)from.Number(), from.Int());
        var (kind, type, key) = ((FeedbackKind)from.Byte(), from.Text(), from.Text());
        var at = DateTimeOffset.FromUnixTimeMilliseconds((long)from.Number());
        var isMachine = from.Byte() == 1;
        var texts = new string?[7];
        for (var i = 0; i < texts.Length; i++)
            texts[i] = Optional(ref from);
        return new FeedbackReport
        {
            Vendor = vendor,
            Transport = transport,
            Message = message == 0 ? null : new MessageId(message - 1),
            N = n == 0 ? null : n - 1,
            WaitingId = waitingId,
            Event = new FeedbackEvent
            {
                Kind = kind,
                Type = type,
                Key = key,
                At = at,
                IsMachine = isMachine,
                CarriedId = texts[0],
                ProviderId = texts[1],
                Address = texts[2],
                Suppressed = texts[3],
                Url = texts[4],
                UserAgent = texts[5],
                Ip = texts[6],
                Reply = from.Byte() == 0 ? null : new Reply(from.Int(), Optional(ref from), from.Text()),
            },
        };
    }

    static void Optional(FieldWriter to, string? text)
    {
        to.Byte(text is null ? (byte)0 : (byte)1);
        if (text is not null)
            to.Text(text);
    }

    static string? Optional(ref FieldReader from) => from.Byte() == 0 ? null : from.Text();
}
