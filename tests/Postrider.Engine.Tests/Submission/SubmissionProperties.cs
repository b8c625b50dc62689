using System.Buffers;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Postrider.Mail.Mime;
using Postrider.Messages;
using Postrider.Submission;
using Xunit;

namespace Postrider.Engine.Tests.Submission;

/// <summary>What holds for every request, however it was meant.</summary>
public sealed class SubmissionProperties
{
    static readonly Gen<AddressText> Addresses =
        from text in Texts.Mostly("Ann Lee <ann@example.com>")
        from bare in Texts.Mostly("ann@example.com")
        from name in Texts.Mostly("Ann Lee")
        from apart in Gen.Elements(true, false)
        select apart ? new AddressText(bare, name, IsAddressOnly: true) : new AddressText(text);

    static readonly Gen<SubmissionRequest> AnyRequest =
        from sender in Addresses
        from to in Gen.ArrayOf(Addresses, 2)
        from cc in Addresses
        from subject in Texts.Mostly("Your order")
        from text in Texts.Wild
        from name in Texts.Mostly("X-Custom")
        from value in Texts.Mostly("a value")
        from file in Texts.Mostly("file.txt")
        from type in Texts.Mostly("text/plain; charset=utf-8")
        from id in Texts.Mostly("image1@example.com")
        from content in Texts.Mostly("aGVsbG8=")
        from date in Texts.Mostly("2026-03-02T09:30:00Z")
        from span in Texts.Mostly("24h")
        from word in Texts.Mostly("bulk")
        from parts in Gen.Choose(0, 255)
        select new SubmissionRequest
        {
            From = sender,
            To = to,
            Cc = (parts & 1) == 0 ? [] : [cc],
            Subject = subject,
            Text = text,
            Headers = (parts & 2) == 0 ? [] : [new(name, value)],
            Attachments = (parts & 4) == 0 ? [] : [new AttachmentText(file, type, content, (parts & 8) == 0 ? null : id)],
            SendAt = (parts & 16) == 0 ? null : date,
            ExpiresIn = (parts & 32) == 0 ? null : span,
            Stream = (parts & 64) == 0 ? null : word,
            Tags = (parts & 128) == 0 ? [] : [word],
            Metadata = (parts & 128) == 0 ? [] : [new MetadataEntry(word, span)],
        };

    [Fact]
    public void Every_request_is_accepted_or_refused_with_reasons() => Holds((request, entry, problem) =>
        entry is not null ? problem is null : problem is { Status: 413 or 422, Errors.Count: > 0 }
            && problem.Errors.All(e => e.Slug.Length > 0 && e.Detail.Length > 0));

    [Fact]
    public void No_accepted_request_adds_a_header_of_its_own() => Holds((_, entry, _) =>
    {
        if (entry is null)
            return true;
        var names = HeaderNames(entry).ToList();
        var own = entry.Content.Headers.Count;
        string[] ours = ["From", "To", "Cc", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"];
        return names.Count(n => !ours.Contains(n, StringComparer.OrdinalIgnoreCase)) == own
            && names.Distinct(StringComparer.OrdinalIgnoreCase).Count() == names.Count
            && !names.Contains("Bcc", StringComparer.OrdinalIgnoreCase);
    });

    [Fact]
    public void Accepted_recipients_are_numbered_and_differ() => Holds((_, entry, _) =>
        entry is null || (entry.Recipients.Select(r => r.N).SequenceEqual(Enumerable.Range(0, entry.Recipients.Count))
            && entry.Recipients.Select(r => r.Mailbox.Address).Distinct().Count() == entry.Recipients.Count));

    [Fact]
    public void Answers_hold_no_control_characters() => Holds((_, _, problem) =>
        problem is null || !problem.Detail.Any(char.IsControl) && problem.Errors.All(e => !e.Detail.Any(char.IsControl)));

    static void Holds(Func<SubmissionRequest, CheckedSubmission?, Problem?, bool> property)
    {
        var check = new SubmissionCheck(new SubmissionOptions());
        var accepted = 0;
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(3_000), Prop.ForAll(AnyRequest.ToArbitrary(), request =>
        {
            var faults = new Faults();
            var entry = check.Message(request, Requests.Now, faults);
            accepted += entry is null ? 0 : 1;
            return property(request, entry, faults.Any ? faults.ToProblem() : null);
        }));
        // Neither side of the question may be idle.
        Assert.InRange(accepted, 100, 2_900);
    }

    static IEnumerable<string> HeaderNames(CheckedSubmission entry)
    {
        var output = new ArrayBufferWriter<byte>();
        MessageWriter.Write(new MimeMessage
        {
            From = entry.Content.From,
            To = [.. entry.Recipients.Where(r => r.Kind == RecipientKind.To).Select(r => r.Mailbox)],
            Cc = [.. entry.Recipients.Where(r => r.Kind == RecipientKind.Cc).Select(r => r.Mailbox)],
            MessageId = "id@example.org",
            Date = Requests.Now,
            BoundarySeed = 1,
            Subject = entry.Content.Subject,
            Text = entry.Content.Text,
            Headers = entry.Content.Headers,
            Attachments = entry.Content.Attachments,
        }, output);
        var head = Encoding.UTF8.GetString(output.WrittenSpan).Split("\r\n\r\n", 2)[0];
        return head.Split("\r\n").Where(line => line.Length > 0 && line[0] is not (' ' or '\t')).Select(line => line.Split(':', 2)[0]);
    }
}
