using System.Text.Json;
using Postrider.Messages;

namespace Postrider.DeadLetters;

/// <summary>The words by which dead letters are grouped: how the last attempt went, what they waited for, or why they are held.</summary>
public static class DeadLetterReasons
{
    /// <summary>Given up without an attempt of its own to explain it.</summary>
    public const string GivenUp = "given_up";

    /// <summary>A provider took it, and said later that it was not sent.</summary>
    public const string NotSent = "not_sent";

    /// <summary>All that there are, each once.</summary>
    public static IReadOnlyList<string> All { get; } =
    [
        .. Enum.GetValues<OutcomeKind>().Except([OutcomeKind.Accepted]).Select(Word)
            .Concat([GivenUp, NotSent])
            .Concat(Enum.GetValues<HeldReason>().Select(Word))
            .Concat(Enum.GetValues<WaitReason>().Select(Word)).Distinct(),
    ];

    public static string Word<T>(T value) where T : struct, Enum => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());
}
