using System.Security.Cryptography;

namespace Postrider;

/// <summary>Where randomness comes from, as <see cref="TimeProvider"/> is where time comes from: a parameter,
/// so that runs can be repeated.</summary>
public abstract class Entropy
{
    /// <summary>The operating system's generator: unpredictable, fit for keys and tokens.</summary>
    public static Entropy System { get; } = new SystemEntropy();

    public abstract void Fill(Span<byte> bytes);

    /// <summary>Uniform in [0, 1).</summary>
    public double NextDouble()
    {
        Span<byte> bytes = stackalloc byte[8];
        Fill(bytes);
        return (BitConverter.ToUInt64(bytes) >> 11) * (1.0 / (1UL << 53));
    }

    sealed class SystemEntropy : Entropy
    {
        public override void Fill(Span<byte> bytes) => RandomNumberGenerator.Fill(bytes);
    }
}
