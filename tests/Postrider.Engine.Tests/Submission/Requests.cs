using Postrider.Messages;
using Postrider.Submission;

namespace Postrider.Engine.Tests.Submission;

/// <summary>Requests for tests, and the check under its default options.</summary>
static class Requests
{
    public static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    public static SubmissionRequest Good { get; } = new()
    {
        From = new AddressText("Sender <sender@example.org>"),
        To = [new AddressText("ann@example.com")],
        Subject = "Hello",
        Text = "Hello Ann",
    };

    public static AddressText[] To(params string[] addresses) => [.. addresses.Select(a => new AddressText(a))];

    public static SubmissionRequest WithHeader(string name, string value) => Good with { Headers = [new(name, value)] };

    public static SubmissionRequest WithAttachment(AttachmentText attachment) => Good with { Attachments = [attachment] };

    public static AttachmentText Base64(string content) => new("a.txt", "text/plain", content, ContentId: null);

    public static CheckedSubmission Accepted(SubmissionRequest request, SubmissionOptions? options = null)
    {
        var faults = new Faults();
        var entry = new SubmissionCheck(options ?? new SubmissionOptions()).Message(request, Now, faults);
        Xunit.Assert.True(entry is not null, faults.Any ? string.Join("; ", faults.ToProblem().Errors) : "refused without a fault");
        Xunit.Assert.False(faults.Any);
        return entry;
    }

    public static Problem Refused(SubmissionRequest request, SubmissionOptions? options = null)
    {
        var faults = new Faults();
        Xunit.Assert.Null(new SubmissionCheck(options ?? new SubmissionOptions()).Message(request, Now, faults));
        return faults.ToProblem();
    }
}
