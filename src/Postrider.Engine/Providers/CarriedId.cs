using System.Globalization;
using Postrider.Messages;

namespace Postrider.Providers;

/// <summary>Our id as it travels in a vendor's metadata and comes back with its callbacks.</summary>
/// <remarks>A recipient's id where the vendor's entry is for one recipient, else the message's: the callback names the address beside
/// it.</remarks>
public static class CarriedId
{
    /// <summary>The name of it at every vendor.</summary>
    public const string Name = "postrider_id";

    public static string Of(OutgoingEnvelope envelope) =>
        envelope.Recipients is [var only] ? new RecipientId(envelope.Message, only.N).ToString() : envelope.Message.ToString();

    /// <summary>Reads either form; <paramref name="n"/> is null for a message's. False for what is not ours.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out MessageId message, out int? n)
    {
        const int UuidLength = 36;
        n = null;
        message = default;
        if (text.Length < UuidLength || !MessageId.TryParse(text[..UuidLength], out message))
            return false;
        if (text.Length == UuidLength)
            return true;
        if (text[UuidLength] != '-' || text.Length > UuidLength + 8
            || !int.TryParse(text[(UuidLength + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            return false;
        n = number;
        return true;
    }
}
