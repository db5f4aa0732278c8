{# ALLOWS_SCALAR_WRITE #}
{% extends 'common_group.cpp' %}
{% import 'macros.cpp' as _macros %}
{% set _float = c_data_type(variables['v'].dtype) %}
{% macro _array(name) %}{{get_array_name(variables[name])}}{% endmacro %}
{% block extra_headers %}
#ifndef NEURON_POOL_BITS
#define NEURON_POOL_BITS
namespace {

inline uint64_t pool_mixed(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

inline uint32_t pool_bits(uint32_t neuron, uint32_t first, uint32_t second)
{
    uint32_t x = neuron * 0x9E3779B9u + first;
    x ^= x >> 16;
    x *= 0x7FEB352Du;
    x ^= x >> 15;
    x = (x + second) * 0x846CA68Bu;
    return x ^ (x >> 16);
}

}
#endif
{% endblock %}

{% block maincode %}
    {{_macros.scalars(scalar_code, vector_code)}}
    {{_macros.evaluate('post', size, scalar_code, vector_code)}}
    const uint64_t when = ((uint64_t)_presentation << 24) + ((uint64_t)_step << 8) + {{stream}};
    const uint64_t seed = _seed;
    const uint64_t key = pool_mixed(pool_mixed(when * 0x9E3779B97F4A7C15ULL + seed) + seed);
    const uint32_t first = (uint32_t)key, second = (uint32_t)(key >> 32);
    {% for value in values %}
    const {{_float}} {{value}} = {{_array(value)}}[0];
    {% endfor %}
    const {{_float}} part = {{_array('dt')}}[0] / membrane_time;
    const {{_float}} amplitude = noise * std::sqrt(2 * part) / ({{_float}})147.80054127099805;
    const {{_float}}* __restrict drive = {{_array('_drive')}};
    {{c_data_type(variables['_count'].dtype)}}* __restrict count = {{_array('_count')}};
    if (_step == 0)
    {
        {{_float}}* __restrict v = {{_array('v')}};
        for (uint32_t i = 0; i < {{size * neurons}}u; i++)
            v[i] = reset + (threshold - reset) * ({{_float}})(pool_bits(i, second, first) >> 8) / 16777216;
    }
    for (size_t i = 0; i < {{size}}; i++)
        count[i] = 0;
    for (uint32_t k = 0; k < {{neurons}}u; k++)
    {
        {{_float}}* __restrict v = {{_array('v')}} + k * {{size}}u;
        {{c_data_type(variables['fired'].dtype)}}* __restrict fired = {{_array('fired')}} + k * {{size}}u;
        for (uint32_t i = 0; i < {{size}}u; i++)
        {
            const uint32_t bits = pool_bits(k * {{size}}u + i, first, second);
            const int32_t sum = (int32_t)((bits & 255) + ((bits >> 8) & 255) + ((bits >> 16) & 255) + (bits >> 24)) - 510;
            const {{_float}} moved = v[i] + part * (resting - v[i] + offset + gain * drive[i]) + amplitude * ({{_float}})sum;
            const bool fires = moved >= threshold;
            v[i] = fires ? reset : moved;
            fired[i] = fires;
            count[i] += fires ? 1 : 0;
        }
    }
{% endblock %}
