namespace Postrider.Routing;

/// <summary>A fault of the configuration of a transport, in words for the person who wrote it. Never contains a secret.</summary>
/// <param name="Transport">Its name, or <c>transport 3</c> where none could be read.</param>
/// <param name="Option">The DSN option at fault; null when it is another part.</param>
public sealed record TransportFault(string Transport, string? Option, string Words)
{
    public override string ToString() => Option is null ? $"{Transport}: {Words}" : $"{Transport}: option '{Option}' {Words}";
}
