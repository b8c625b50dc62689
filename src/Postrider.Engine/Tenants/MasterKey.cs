using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Postrider.Messages;

namespace Postrider.Tenants;

/// <summary>The master key cannot be used; the message says what to do. The process must not start.</summary>
public sealed class MasterKeyException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The one secret of an installation: every other key is derived from it for one purpose. The same on all nodes.</summary>
public sealed class MasterKey
{
    const int Length = 32;
    const string FileName = "master.key";
    static readonly byte[] CanaryText = "postrider master key canary"u8.ToArray();

    readonly byte[] _key;
    string? _madeIn; // by this start, and no database is known to be sealed with it

    MasterKey(byte[] key)
    {
        _key = key;
        Id = BinaryPrimitives.ReadUInt32BigEndian(Derive("postrider/master-key-id/1", sizeof(uint)));
    }

    /// <summary>Tells keys apart without saying anything about them.</summary>
    public uint Id { get; }

    /// <summary>A key for one purpose: knowing it gives away neither the master key nor that of another purpose (HKDF, RFC 5869).</summary>
    public byte[] Derive(string purpose, int bytes = Length) =>
        HKDF.DeriveKey(HashAlgorithmName.SHA256, _key, bytes, salt: null, Encoding.UTF8.GetBytes(purpose));

    /// <summary>Where a data folder keeps it.</summary>
    public static string FileIn(string dataFolder) => Path.Combine(dataFolder, FileName);

    /// <summary>Takes the key from the environment, else from the named file, else from the data folder, where it is made if it is not
    /// there.</summary>
    /// <param name="text">Base64 of 32 bytes (<c>POSTRIDER_MASTER_KEY</c>); null or empty when not set.</param>
    /// <param name="file">A file with that (<c>POSTRIDER_MASTER_KEY_FILE</c>); null or empty when not set.</param>
    /// <param name="dataFolder">Where it is kept otherwise; the folder is made if it is not there.</param>
    /// <exception cref="MasterKeyException">Wrong length, both given, unreadable, or readable by strangers.</exception>
    public static MasterKey Load(string? text, string? file, string dataFolder, Entropy entropy)
    {
        if (!string.IsNullOrEmpty(text) && !string.IsNullOrEmpty(file))
            throw new MasterKeyException("Both POSTRIDER_MASTER_KEY and POSTRIDER_MASTER_KEY_FILE are set: keep one of them.");
        if (!string.IsNullOrEmpty(text))
            return Parse(text, "POSTRIDER_MASTER_KEY");
        if (!string.IsNullOrEmpty(file))
            return Read(file);
        var path = FileIn(dataFolder);
        if (File.Exists(path))
            return Read(path);
        Make(path, entropy);
        var made = Read(path);
        made._madeIn = path;
        return made;
    }

    /// <summary>Why a given key cannot be used; null: it can, or none is given. Both as in <see cref="Load"/>, at most one of
    /// them.</summary>
    public static string? FaultOf(string? text, string? file)
    {
        try
        {
            if (!string.IsNullOrEmpty(text))
                Parse(text, "POSTRIDER_MASTER_KEY");
            else if (!string.IsNullOrEmpty(file))
                Read(file);
            return null;
        }
        catch (MasterKeyException fault)
        {
            return fault.Message;
        }
    }

    /// <param name="source">Named in the fault, in place of the text, which must not be shown.</param>
    public static MasterKey Parse(string text, string source)
    {
        var key = new byte[Length + 3];
        if (!Convert.TryFromBase64String(text.Trim(), key, out var written) || written != Length)
            throw new MasterKeyException($"{source} must be 32 bytes in base64 (44 characters). Make one with: openssl rand -base64 32");
        return new MasterKey(key[..Length]);
    }

    /// <summary>Refuses a database that was sealed with another master key; seals a new one with this.</summary>
    /// <exception cref="MasterKeyException">It is not the key that this database was sealed with.</exception>
    public async Task VerifyAsync(IKeyStore store, Entropy entropy, CancellationToken ct)
    {
        var sealer = new Sealer(this, entropy);
        var stored = await store.GetOrAddCanaryAsync(sealer.Seal(CanaryText, default, "canary", ""), ct);
        if (!OpensCanary(sealer, stored.Span))
        {
            if (_madeIn is { } made)
            {
                // It would be taken for the right one that was found again.
                File.Delete(made);
                throw new MasterKeyException(
                    $"There is no master key in {made}, and this database was sealed with one, so its secrets cannot be read. Put the file "
                    + "back, from a backup perhaps, or give the key in POSTRIDER_MASTER_KEY or POSTRIDER_MASTER_KEY_FILE.");
            }
            throw new MasterKeyException(
                "The master key is not the one this database was sealed with, so its secrets cannot be read. Give the right one in "
                + $"POSTRIDER_MASTER_KEY, POSTRIDER_MASTER_KEY_FILE or the file {FileName} in the data folder; "
                + "with a database restored from a backup, restore its key too.");
        }
        _madeIn = null;
    }

    /// <summary>Whether a database was sealed with the key of <paramref name="sealer"/>.</summary>
    internal static bool OpensCanary(Sealer sealer, ReadOnlySpan<byte> canary) =>
        sealer.TryOpen(canary, default, "canary", "", out var opened) && opened.AsSpan().SequenceEqual(CanaryText);

    static MasterKey Read(string path)
    {
        try
        {
            // Owner and group may read it (containers mount secrets for a group); strangers may not.
            const UnixFileMode Strangers = UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
            if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & Strangers) != 0)
                throw new MasterKeyException($"The master key in {path} is open to every user of this machine: chmod 600 {path}");
            return Parse(File.ReadAllText(path), $"The master key in {path}");
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new MasterKeyException($"The master key in {path} cannot be read: {fault.Message}", fault);
        }
    }

    /// <summary>Written aside and then named: a crash leaves no half key behind.</summary>
    static void Make(string path, Entropy entropy)
    {
        Span<byte> key = stackalloc byte[Length];
        entropy.Fill(key);
        var aside = path + ".new";
        try
        {
            OwnerOnly.MakeFolder(Path.GetDirectoryName(Path.GetFullPath(path))!);
            File.Delete(aside);
            using (var stream = new FileStream(aside, OwnerOnly.Open(FileMode.Create, FileAccess.Write)))
            {
                stream.Write(Encoding.ASCII.GetBytes(Convert.ToBase64String(key) + "\n"));
                stream.Flush(flushToDisk: true);
            }
            File.Move(aside, path, overwrite: false);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new MasterKeyException($"The master key cannot be made in {path}: {fault.Message}", fault);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }
}
