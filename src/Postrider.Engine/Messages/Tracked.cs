using System.Text.Json.Serialization;

namespace Postrider.Messages;

/// <summary>What is to be learned of a message after it has arrived. Nothing, unless somebody asked for it.</summary>
/// <param name="Opens">That its HTML was shown, by an image in it.</param>
/// <param name="Clicks">That a link in its HTML was followed, by links that lead over us.</param>
/// <param name="Text">The same of the links in its text, whose readers see where they lead.</param>
public readonly record struct Tracked(bool Opens, bool Clicks, bool Text)
{
    [JsonIgnore]
    public bool Any => Opens || Clicks || Text;
}

/// <summary>The same as a sender gives it.</summary>
/// <param name="Opens">Null: as the stream has it.</param>
/// <param name="Clicks">Null: as the stream has it.</param>
/// <param name="Text">Null: as the stream has it.</param>
public readonly record struct TrackRequest(bool? Opens, bool? Clicks, bool? Text)
{
    public Tracked Over(Tracked otherwise) => new(Opens ?? otherwise.Opens, Clicks ?? otherwise.Clicks, Text ?? otherwise.Text);
}
