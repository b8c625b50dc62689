using System.ComponentModel;
using System.Runtime.InteropServices;
using Postrider.Chaos.Books;
using Postrider.Chaos.Product;

namespace Postrider.Chaos.Faults;

/// <summary>A disk of its own (ext4 in a file) whose power can be cut: what was not synced is gone afterwards.</summary>
sealed partial class LoopDisk : IAsyncDisposable
{
    const int Megabytes = 2048; // sparse; well above the 256 MB that the product wants free, ballast and WAL besides

    // EXT4_IOC_SHUTDOWN = _IOR('X', 125, __u32); 2 = EXT4_GOING_FLAGS_NOLOGFLUSH: nothing more is written, not even the journal
    // (linux/fs/ext4/ext4.h).
    const ulong Shutdown = 0x8004587D;
    const uint WithoutFlush = 2;

    readonly string _image;
    bool _mounted;

    LoopDisk(string image, string folder)
    {
        _image = image;
        Folder = folder;
    }

    /// <summary>Where it is mounted.</summary>
    public string Folder { get; }

    public static async Task<LoopDisk> CreateAsync(string folder, int megabytes = Megabytes)
    {
        var disk = new LoopDisk(Path.Combine(folder, "disk.img"), Directory.CreateDirectory(Path.Combine(folder, "disk")).FullName);
        await using (var file = File.Create(disk._image))
            file.SetLength((long)megabytes << 20);
        await Programs.RunAsync("mkfs.ext4", "-q", "-F", disk._image);
        await disk.MountAsync();
        return disk;
    }

    /// <summary>Mounts it as a machine does that starts again.</summary>
    public async Task MountAsync()
    {
        // While another mount namespace still holds the old mount, the kernel hands out the dead file system once more.
        for (var tries = 0; ; tries++)
        {
            await Programs.RunAsync("mount", "-o", "loop", _image, Folder);
            _mounted = true;
            if (IsAlive())
                return;
            await UnmountAsync();
            if (tries == 50)
                throw new IOException("The disk is still in use elsewhere: its file system stays shut down.");
            await Clock.WaitAsync(100);
        }
    }

    bool IsAlive()
    {
        var probe = Path.Combine(Folder, "probe");
        try
        {
            File.WriteAllBytes(probe, [1]);
            File.Delete(probe);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>From here on every write and every sync of this disk fails.</summary>
    public void CutPower()
    {
        using var root = Open(Folder, 0);
        var flags = WithoutFlush;
        if (root.IsInvalid || Control(root, Shutdown, ref flags) != 0)
            throw new Win32Exception(Marshal.GetLastPInvokeError(), "EXT4_IOC_SHUTDOWN");
    }

    /// <summary>Takes the disk away; whoever used it must be gone.</summary>
    public async Task UnmountAsync()
    {
        for (var tries = 0; ; tries++)
        {
            try
            {
                await Programs.RunAsync("umount", Folder);
                _mounted = false;
                return;
            }
            catch (InvalidOperationException) when (tries < 50)
            {
                await Clock.WaitAsync(100);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_mounted)
            await UnmountAsync();
        File.Delete(_image);
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial Microsoft.Win32.SafeHandles.SafeFileHandle Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Control(Microsoft.Win32.SafeHandles.SafeFileHandle file, ulong request, ref uint argument);
}
