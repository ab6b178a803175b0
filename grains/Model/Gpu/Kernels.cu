// Kernels for NVIDIA cards, compiled when a card is first used. First what FusedKernels.cs and FusedWeight.cs do on the CPU: tensors are contiguous
// [N, H, W, C]; real is float or bf16, arithmetic is in float. Then what RowKernels.cs and Products.cs do for the sampler.

typedef unsigned int uint;

struct bf16 { unsigned short bits; };

__device__ inline float load(const float* at) { return *at; }
__device__ inline float load(const bf16* at) { return __uint_as_float((uint)at->bits << 16); }
__device__ inline void store(float* at, float value) { *at = value; }

// To the nearest, ties to even. What is not a number stays so.
__device__ inline void store(bf16* at, float value)
{
    uint bits = __float_as_uint(value);
    at->bits = value == value ? (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16 : 0x7FC0u;
}

// As Lanes.Hash: 0 or 1 / (1 - rate) for an activation.
__device__ inline float mask(uint position, uint half, uint threshold, float kept, uint key)
{
    uint h = (2u * position + half) ^ key;
    h = (h ^ (h >> 16)) * 0x85EBCA6Bu;
    h = (h ^ (h >> 13) ^ (key * 0x9E3779B1u)) * 0xC2B2AE35u;
    h ^= h >> 16;
    return h >= threshold ? kept : 0.0f;
}

struct sides { float positive, negative; };

// Of concatenated ELU; the positive one is ELU.
__device__ inline sides elu(float value)
{
    float below = expf(-fabsf(value)) - 1.0f;
    return { value > 0.0f ? value : below, value > 0.0f ? below : -value };
}

// One thread for each channel of each pixel of the output, padding included.
template <typename real>
__device__ void concat_elu(const real* input, const uint* key, real* output, uint total, uint height, uint width, uint channels,
                           uint top, uint left, uint wide, uint threshold, float kept)
{
    uint i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= total)
        return;
    uint pixel = i / channels, c = i % channels, row = pixel / wide, tall = height + top;
    // Left of and above the image these wrap around and are too large.
    uint x = pixel % wide - left, y = row % tall - top, n = row / tall;
    real* to = output + (size_t)pixel * 2 * channels + c;
    if (x >= width || y >= height)
    {
        store(to, 0.0f);
        store(to + channels, 0.0f);
        return;
    }

    uint at = ((n * height + y) * width + x) * channels + c;
    sides both = elu(load(input + at));
    if (threshold > 0u)
    {
        both.positive *= mask(at, 0u, threshold, kept, *key);
        both.negative *= mask(at, 1u, threshold, kept, *key);
    }

    store(to, both.positive);
    store(to + channels, both.negative);
}

// One thread for each element of the input.
template <typename real>
__device__ void concat_elu_backward(const real* input, const uint* key, const real* gradient, real* result, uint total, uint height, uint width, uint channels,
                                    uint top, uint left, uint wide, uint threshold, float kept)
{
    uint at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= total)
        return;
    uint pixel = at / channels, c = at % channels, row = pixel / width, n = row / height;
    size_t from = ((size_t)(n * (height + top) + row % height + top) * wide + pixel % width + left) * 2 * channels + c;
    float value = load(input + at), positive = load(gradient + from), negative = load(gradient + from + channels);
    if (threshold > 0u)
    {
        positive *= mask(at, 0u, threshold, kept, *key);
        negative *= mask(at, 1u, threshold, kept, *key);
    }

    float slope = expf(-fabsf(value));
    store(result + at, value > 0.0f ? positive - negative * slope : positive * slope - negative);
}

__device__ inline float sigmoid(float value) { return 1.0f / (1.0f + expf(-value)); }

// x + a sigmoid(b), one thread for each element of x.
template <typename real>
__device__ void gate(const real* x, const real* gated, real* output, uint total, uint channels)
{
    uint at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= total)
        return;
    const real* a = gated + (size_t)(at / channels) * 2 * channels + at % channels;
    store(output + at, load(x + at) + load(a) * sigmoid(load(a + channels)));
}

template <typename real>
__device__ void gate_backward(const real* gated, const real* gradient, real* result, uint total, uint channels)
{
    uint at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= total)
        return;
    size_t first = (size_t)(at / channels) * 2 * channels + at % channels;
    float slope = load(gradient + at), open = sigmoid(load(gated + first + channels));
    store(result + first, slope * open);
    store(result + first + channels, slope * load(gated + first) * open * (1.0f - open));
}

// The sum over a block of 256 threads, in an order that is always the same; every thread gets it.
__device__ inline float block_sum(float value)
{
    __shared__ float sums[256];
    sums[threadIdx.x] = value;
    for (uint half = 128u; half > 0u; half >>= 1)
    {
        __syncthreads();
        if (threadIdx.x < half)
            sums[threadIdx.x] += sums[threadIdx.x + half];
    }

    __syncthreads();
    float sum = sums[0];
    __syncthreads();
    return sum;
}

// g v / |v|, one block for each filter. Element i of a filter is (i / inner, filter, i % inner) of [outer, filters, inner].
template <typename real>
__device__ void weight(const float* direction, const float* scale, real* output, uint length, uint inner)
{
    uint filter = blockIdx.x, filters = gridDim.x;
    float sum = 0.0f;
    for (uint i = threadIdx.x; i < length; i += blockDim.x)
    {
        float v = direction[(i / inner * filters + filter) * inner + i % inner];
        sum += v * v;
    }

    float factor = scale[filter] / sqrtf(block_sum(sum));
    for (uint i = threadIdx.x; i < length; i += blockDim.x)
    {
        uint at = (i / inner * filters + filter) * inner + i % inner;
        store(output + at, direction[at] * factor);
    }
}

template <typename real>
__device__ void weight_backward(const float* direction, const float* scale, const real* gradient, float* to_direction, float* to_scale, uint length, uint inner)
{
    uint filter = blockIdx.x, filters = gridDim.x;
    float squares = 0.0f, products = 0.0f;
    for (uint i = threadIdx.x; i < length; i += blockDim.x)
    {
        uint at = (i / inner * filters + filter) * inner + i % inner;
        float v = direction[at];
        squares += v * v;
        products += v * load(gradient + at);
    }

    squares = block_sum(squares);
    products = block_sum(products);
    float norm = sqrtf(squares), factor = scale[filter] / norm, along = products / squares;
    if (threadIdx.x == 0u)
        to_scale[filter] = products / norm;
    for (uint i = threadIdx.x; i < length; i += blockDim.x)
    {
        uint at = (i / inner * filters + filter) * inner + i % inner;
        to_direction[at] = factor * (load(gradient + at) - direction[at] * along);
    }
}

// Columns of the sampler's rows, [N, columns, channels] each: images lie source_image, target_image ... apart, and the columns begin at source_first, target_first ...
// Where there is one thread for each element, run is columns x channels of an image.

// The target's columns become, or with add gain, the source's, which are source_step apart.
extern "C" __global__ void row_copy_float(const float* source, float* target, uint total, uint run, uint channels,
                                          uint source_image, uint source_first, uint source_step, uint target_image, uint target_first, uint add)
{
    uint i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= total)
        return;
    uint n = i / run, at = i % run;
    float* to = target + n * target_image + target_first + at;
    float value = source[n * source_image + source_first + at / channels * source_step + at % channels];
    *to = add ? *to + value : value;
}

// A value's ReLU (0), ELU (1) or both sides of its concatenated ELU (2); nothing (3).
__device__ inline void activate(float value, float* target, uint channels, uint nonlinearity)
{
    if (nonlinearity > 2u)
        return;
    sides both = elu(value);
    target[0] = nonlinearity == 0u ? fmaxf(value, 0.0f) : both.positive;
    if (nonlinearity == 2u)
        target[channels] = both.negative;
}

// Where a channel's activation lies in a run of columns, of which concatenated ELU makes twice the channels.
__device__ inline uint activated_at(uint at, uint channels, uint nonlinearity)
{
    return nonlinearity == 2u ? at / channels * channels + at : at;
}

extern "C" __global__ void row_activate_float(const float* source, float* target, uint total, uint run, uint channels,
                                              uint source_image, uint source_first, uint target_image, uint target_first, uint nonlinearity)
{
    uint i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= total)
        return;
    uint n = i / run, at = i % run;
    activate(source[n * source_image + source_first + at], target + n * target_image + target_first + activated_at(at, channels, nonlinearity), channels, nonlinearity);
}

// And the gate's activation.
extern "C" __global__ void row_gate_float(const float* input, const float* gated, float* output, float* activated, uint total, uint run, uint channels,
                                          uint input_image, uint input_first, uint gated_image, uint gated_first, uint output_image, uint output_first,
                                          uint activated_image, uint activated_first, uint nonlinearity)
{
    uint i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= total)
        return;
    uint n = i / run, at = i % run;
    const float* a = gated + n * gated_image + gated_first + at / channels * 2 * channels + at % channels;
    float value = input[n * input_image + input_first + at] + a[0] * sigmoid(a[channels]);
    output[n * output_image + output_first + at] = value;
    activate(value, activated + n * activated_image + activated_first + activated_at(at, channels, nonlinearity), channels, nonlinearity);
}

__device__ inline void gain(float4& sum, float factor, float4 value)
{
    sum.x += factor * value.x;
    sum.y += factor * value.y;
    sum.z += factor * value.z;
    sum.w += factor * value.w;
}

// Each of the output's columns, run of an image, gains the product of height floats, from a column of the input on, with the matrix [height, across], and is activated. A block has a tile of
// four times each columns by 32 outputs, each of its threads so many columns by 4 outputs; its warps take turns with four rows of the matrix, so a column's sums do not depend on what else there
// is. Heights and outputs come in sixteens.
template <uint warps, uint each>
__device__ void row_product(const float* input, const float* matrix, float* output, float* activated, uint columns, uint run, uint height, uint across,
                            uint input_image, uint input_first, uint input_step, uint output_image, uint output_first, uint output_step,
                            uint activated_image, uint activated_first, uint nonlinearity)
{
    __shared__ float4 sums[warps][4u * each][8];
    uint lane = threadIdx.x % 32u, warp = threadIdx.x / 32u, tiles = (across + 31u) / 32u, first = blockIdx.x / tiles * 4u * each, left = blockIdx.x % tiles * 32u, four = lane % 8u;
    const float* from[each];
    float4 sum[each];
    #pragma unroll
    for (uint c = 0u; c < each; c++)
    {
        // What is beyond the last column is not kept.
        uint column = min(first + lane / 8u * each + c, columns - 1u);
        from[c] = input + column / run * input_image + input_first + column % run * input_step;
        sum[c] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    }

    uint lowest = left + 4u * four < across ? 4u * warp : height;
    #pragma unroll (4 / each)
    for (uint k = lowest; k < height; k += 4u * warps)
    {
        float4 w[4];
        #pragma unroll
        for (uint i = 0u; i < 4u; i++)
            w[i] = *(const float4*)(matrix + (k + i) * across + left + 4u * four);
        #pragma unroll
        for (uint c = 0u; c < each; c++)
        {
            float4 x = *(const float4*)(from[c] + k);
            gain(sum[c], x.x, w[0]);
            gain(sum[c], x.y, w[1]);
            gain(sum[c], x.z, w[2]);
            gain(sum[c], x.w, w[3]);
        }
    }

    #pragma unroll
    for (uint c = 0u; c < each; c++)
        sums[warp][lane / 8u * each + c][four] = sum[c];
    __syncthreads();
    uint column = first + threadIdx.x / 8u, at = left + threadIdx.x % 8u * 4u;
    if (threadIdx.x >= 32u * each || column >= columns || at >= across)
        return;
    uint n = column / run, x = column % run;
    float4* to = (float4*)(output + n * output_image + output_first + x * output_step + at);
    float4 total = *to;
    for (uint w = 0u; w < warps; w++)
        gain(total, 1.0f, sums[w][threadIdx.x / 8u][threadIdx.x % 8u]);
    *to = total;
    float* active = activated + n * activated_image + activated_first + activated_at(x * across + at, across, nonlinearity);
    activate(total.x, active, across, nonlinearity);
    activate(total.y, active + 1, across, nonlinearity);
    activate(total.z, active + 2, across, nonlinearity);
    activate(total.w, active + 3, across, nonlinearity);
}

// For the few columns of a pixel, whose time is latency, and for those of rows. Rows.cs knows the tiles and the threads.
#define ROW_PRODUCT(name, warps, each) \
    extern "C" __global__ void name(const float* input, const float* matrix, float* output, float* activated, uint columns, uint run, uint height, uint across, \
        uint input_image, uint input_first, uint input_step, uint output_image, uint output_first, uint output_step, \
        uint activated_image, uint activated_first, uint nonlinearity) \
    { row_product<warps, each>(input, matrix, output, activated, columns, run, height, across, input_image, input_first, input_step, output_image, output_first, output_step, \
        activated_image, activated_first, nonlinearity); }

ROW_PRODUCT(pixel_product_float, 16u, 2u)
ROW_PRODUCT(row_product_float, 8u, 4u)

#define KERNELS(real) \
    extern "C" __global__ void concat_elu_##real(const real* input, const uint* key, real* output, uint total, uint height, uint width, uint channels, \
        uint top, uint left, uint wide, uint threshold, float kept) \
    { concat_elu(input, key, output, total, height, width, channels, top, left, wide, threshold, kept); } \
    extern "C" __global__ void concat_elu_backward_##real(const real* input, const uint* key, const real* gradient, real* result, uint total, uint height, uint width, uint channels, \
        uint top, uint left, uint wide, uint threshold, float kept) \
    { concat_elu_backward(input, key, gradient, result, total, height, width, channels, top, left, wide, threshold, kept); } \
    extern "C" __global__ void gate_##real(const real* x, const real* gated, real* output, uint total, uint channels) \
    { gate(x, gated, output, total, channels); } \
    extern "C" __global__ void gate_backward_##real(const real* gated, const real* gradient, real* result, uint total, uint channels) \
    { gate_backward(gated, gradient, result, total, channels); } \
    extern "C" __global__ void weight_##real(const float* direction, const float* scale, real* output, uint length, uint inner) \
    { weight(direction, scale, output, length, inner); } \
    extern "C" __global__ void weight_backward_##real(const float* direction, const float* scale, const real* gradient, float* to_direction, float* to_scale, uint length, uint inner) \
    { weight_backward(direction, scale, gradient, to_direction, to_scale, length, inner); }

KERNELS(float)
KERNELS(bf16)
