using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Submission;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>What people read of a refusal.</summary>
public sealed class FaultWordsTests
{
    [Fact]
    public void Each_fault_is_told_once_with_the_label_of_its_field()
    {
        var faults = new Faults();
        faults.Add("/from", "invalid-address", "The sender is missing: name it in 'from'.");
        faults.Add("/to", "no-recipients", "Name at least one recipient in 'to', 'cc' or 'bcc'.");
        faults.Add("/reply_to/1", "invalid-address", "There is no @ in it.");
        Assert.Equal(
            [
                new ShownFault("From", "The sender is missing: name it in “From”."),
                new ShownFault("To", "Name at least one recipient in “To”, “Cc” or “Bcc”."),
                new ShownFault("Reply to, 2", "There is no @ in it."),
            ], FaultWords.Of(faults.ToProblem()));
    }

    [Fact]
    public void A_single_fault_is_not_told_as_its_own_summary() =>
        Assert.Equal([new ShownFault("Send at", "Send at is more than 30 days ahead.")],
            FaultWords.Of(Faults.One("/send_at", "invalid-time", "send_at is more than 30 days ahead.")));

    [Fact]
    public void What_the_summary_alone_says_is_told()
    {
        var problem = new Problem("too-late", 409, "Too late", "It has ended.")
        {
            Errors = [new("/email/subject", "too-late", "It is old.")],
        };
        Assert.Equal([new ShownFault(null, "It has ended."), new ShownFault("Subject", "It is old.")], FaultWords.Of(problem));
        Assert.Equal([new ShownFault(null, "It has ended.")], FaultWords.Of(problem with { Errors = [] }));
    }

    [Fact]
    public void Of_a_list_that_was_cut_that_is_said()
    {
        var faults = new Faults();
        for (var n = 0; n < 250; n++)
            faults.Add($"/to/{n}", "invalid-address", "There is no @ in it.");
        var shown = FaultWords.Of(faults.ToProblem());
        Assert.Equal((Faults.MaxListed + 1, new ShownFault("To, 1", "There is no @ in it.")), (shown.Count, shown[0]));
        Assert.Contains("there may be more", shown[^1].Words);
    }

    [Theory]
    [InlineData("", null)]
    [InlineData("/", null)]
    [InlineData("/text", "Text")]
    [InlineData("/attachments/2/filename", "Attachments, 3")]
    [InlineData("/settings/max_queued", "Max queued")]
    public void A_field_is_named_as_people_see_it(string pointer, string? label) => Assert.Equal(label, FaultWords.Field(pointer));

    [Theory]
    [InlineData("The stream is 'transactional' or 'bulk'.")]
    [InlineData("Write {{send_at}}, or see https://example.com/reply_to.")]
    public void Values_and_addresses_stay_as_they_are(string words) => Assert.Equal(words, FaultWords.Plain(words));
}
